"""IAENet: two experts, a dual memory bank and importance-aware fusion (Cao et al., Information Fusion 2026)."""
