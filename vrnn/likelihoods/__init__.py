"""Likelihoods p(x_t | parameters): one class in one file each, without weights of their own."""
