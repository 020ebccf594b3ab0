"""DUS-Net's networks: Noise-Gen, Down-Net and Up-Net, their losses and their pretraining."""
