"""SCA: spatial context aggregation, selective anomalous feature generation (Hoang et al., Scientific Reports 2026)."""
