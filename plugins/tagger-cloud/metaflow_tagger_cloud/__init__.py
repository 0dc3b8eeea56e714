"""Tags rows with what clouds know of addresses: regions, zones, VPCs, subnets, hosts, load balancers, NAT gateways, databases."""
