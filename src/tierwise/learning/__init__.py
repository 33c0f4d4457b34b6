"""Reads recorded outcomes and writes better predictors; measures what a router is worth.

Everything here runs at leisure. Only this package imports scikit-learn, scipy and matplotlib, and
it imports them where they are used, so that a command which only reads is quick to start.
"""
