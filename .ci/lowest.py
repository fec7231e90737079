"""The lowest version of each direct dependency that pyproject.toml allows, as constraints for pip."""

import re
import sys
import tomllib

with open(sys.argv[1], "rb") as file:
    project = tomllib.load(file)["project"]
for requirement in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
    if lower := re.match(r"([\w.-]+)>=([\w.]+)", requirement):
        print(f"{lower[1]}=={lower[2]}")
