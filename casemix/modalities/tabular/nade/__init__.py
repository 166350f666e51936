"""Neural autoregressive distribution over the cells of a row."""
