"""SCA: spatial context aggregation and selective anomalous feature generation (Hoang et al., Scientific Reports 2026)."""
