"""Where the project is, for the package's metadata: known by the release workflow alone, since it runs wherever the repository is."""

import os
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class ProjectUrls(MetadataHookInterface):
    """`project.urls` by https://packaging.python.org/en/latest/specifications/well-known-project-urls/."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add them; none in a build outside GitHub's workflows."""
        server, repository = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
        if not (server and repository):
            metadata["urls"] = {}
            return
        home = f"{server}/{repository}"
        version = f"v{metadata['version']}"
        metadata["urls"] = {
            "Homepage": home,
            "Source": home,
            "Issues": f"{home}/issues",
            "Documentation": f"{home}/tree/{version}/docs",
            "Changelog": f"{home}/blob/{version}/CHANGELOG.md",
        }
