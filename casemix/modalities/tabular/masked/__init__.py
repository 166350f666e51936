"""Masked discrete diffusion over the cells of a row: tokens, network, masks, sampling."""
