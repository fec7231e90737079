"""Objectives: the one place where per-step terms are masked and reduced."""
