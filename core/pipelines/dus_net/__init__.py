"""DUS-Net: the part rebuilt as it should have been, and what the scan departs from that."""
