"""Builders of networks that two variants or more share, functions that return a fresh `keras.Model`; and what a network
is made of."""
