"""Networks: address pools, bridges, the firewall, names."""
