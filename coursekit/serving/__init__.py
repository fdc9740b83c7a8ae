"""A trained detector as a service: servers, clients, measurements, int8. Goes with notebook 23_deployment."""
