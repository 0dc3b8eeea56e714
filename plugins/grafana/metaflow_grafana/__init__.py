"""``mflow grafana``: provisioning for a stock Grafana, without a plugin of ours."""
