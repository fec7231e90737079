"""Hydra finds the configs of the packages that the user allows; see `experiments.config.packages`."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from experiments.config.packages import config_packages


class AllowedPackages(SearchPathPlugin):
    """Puts <package>.conf of every allowed package behind the suite's own configs."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for package in config_packages():
            search_path.append("vrnn", f"pkg://{package}")
