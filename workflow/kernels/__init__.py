"""The kernel track: the catalogue of overlays, building them, and what the profile routed to them."""

from workflow.kernels.catalogue import overlays_to_try, put_into_run, routed

__all__ = ["overlays_to_try", "put_into_run", "routed"]
