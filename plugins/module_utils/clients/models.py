# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the installed botocore knows of its APIs, read in half the time that it takes itself."""
from __future__ import annotations

import functools
import gzip
import json
import os

try:
    from botocore.loaders import JSONFileLoader, Loader
except ImportError:  # run.py reports the missing library
    JSONFileLoader = Loader = object

ENDINGS = ((".json", open), (".json.gz", gzip.open))


class Files(JSONFileLoader):
    """Reads models into plain dictionaries; the ordered ones of botocore take twice the time."""

    def load_file(self, file_path: str):
        """The content of a file, given without its ending; None when there is none."""
        for ending, opened in ENDINGS:
            if os.path.isfile(file_path + ending):
                with opened(file_path + ending, "rb") as file:
                    return json.loads(file.read())
        return None


class Models(Loader):
    """Knows services by the names of their folders; botocore looks into all 400 of them."""

    @functools.cached_property
    def _folders(self) -> list[str]:
        there = filter(os.path.isdir, self.search_paths)
        return sorted({name for path in there for name in os.listdir(path)})

    def list_available_services(self, type_name):
        """Names that may be services; whether one has the type shows when it is loaded."""
        return self._folders


@functools.lru_cache(maxsize=None)
def models() -> Models:
    """One for the process: what was read once is kept."""
    return Models(file_loader=Files())


def quicken(session) -> None:
    """Lets a boto3 session read its models this way, from the folders that it would look into."""
    core, own = session._session, models().search_paths
    own[:0] = [p for p in core.get_component("data_loader").search_paths if p not in own]
    core.register_component("data_loader", models())


@functools.lru_cache(maxsize=None)
def accepted(service: str, shape: str) -> list[str]:
    """The values that a parameter of an API takes, by the name of its shape in the model."""
    return list(models().load_service_model(service, "service-2")["shapes"][shape]["enum"])
