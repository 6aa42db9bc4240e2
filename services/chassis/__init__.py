"""What every service's process stands on: settings, logging, tasks that end, links that carry contracts.

The microservice-chassis pattern. Chassis knows contracts and no service.
"""
