"""What every call has once it is answered, whoever placed it: the talk, the record of it, its end."""
