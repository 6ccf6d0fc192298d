"""Ringback: a self-hosted platform for voice agents on the telephone.

The way of a call, folder by folder (each hands the next a small named value):

    api -> dialing -> telephony -> conversation -> aftercall -> executions -> api
"""
