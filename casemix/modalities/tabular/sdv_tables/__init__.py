"""SDV's methods behind one adapter: tables as they learn them, and rows that meet conditions."""
