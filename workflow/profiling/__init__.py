"""Where the time of the served model goes: a profile in its own process, its tables, and what is routed on their word."""

from workflow.profiling.routing import Route, route
from workflow.profiling.run import ProfileSpec, profile
from workflow.profiling.table import Row, Table, table

__all__ = ["ProfileSpec", "Route", "Row", "Table", "profile", "route", "table"]
