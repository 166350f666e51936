"""Neural autoregressive distribution over the cells of a row, and its correction by a critic."""
