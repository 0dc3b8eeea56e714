"""Tags rows with the pods, workloads, services and nodes of a Kubernetes cluster."""
