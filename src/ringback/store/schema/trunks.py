"""SIP trunks, their gateways, and telephone numbers."""
