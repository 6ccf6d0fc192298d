"""SIP trunks and telephone numbers of accounts."""
