"""The charger: power modules, each on a CAN bus of its own, attached where a charge point asks for one."""
