"""Who or what took the call: a person, an answering machine, a menu, a call screener, a fax machine, nobody."""
