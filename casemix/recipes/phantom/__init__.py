"""The embedded cohort: a mechanistic simulator of cardiac patients whose links are known.

A latent per patient (severity and anatomy, not in the recorded context) drives laboratory values,
vital signs, MR images and notes, so how strongly the modalities are tied beyond the context is
known by construction and can be turned down with one number.
"""
