"""BTF: a memory of good patches, described by FPFH, and by image features where scans have photographs."""
