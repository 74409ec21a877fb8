"""Hostile requests: real media spoilt in many ways, files made to do harm, tensors that lie."""
