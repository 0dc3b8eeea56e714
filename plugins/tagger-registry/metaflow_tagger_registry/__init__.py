"""Tags rows with the services that registries know: Consul, Nacos, etcd, ZooKeeper, Eureka."""
