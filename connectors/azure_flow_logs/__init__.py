"""Azure virtual network and network security group flow logs → `transfers`."""
