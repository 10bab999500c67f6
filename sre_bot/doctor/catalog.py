"""The files under SRE_CONFIG_DIR: services.yaml and the runbooks."""

from sre_bot.catalog import load_catalog
from sre_bot.doctor.finding import Finding, failed, ok, problem
from sre_bot.doctor.known import Known
from sre_bot.errors import CatalogError
from sre_bot.tools.runbook_files import load_runbooks


async def look(known: Known) -> list[Finding]:
    """A row for each of the two."""
    folder = known.tools.config_dir
    try:
        catalog = load_catalog(folder)
        of_catalog = ok("Catalog", f"{len(catalog.services)} services, {len(catalog.signals)} signals.")
    except CatalogError as error:
        of_catalog = problem("Catalog", str(error), "Correct the lines that it names.")
    try:
        runbooks = load_runbooks(folder / "runbooks")
    except CatalogError as error:
        return [of_catalog, failed("Runbooks", error)]
    hint = "" if runbooks else f"Put Markdown files under {folder / 'runbooks'}, as the project's own are."
    return [of_catalog, ok("Runbooks", f"{len(runbooks)}: {', '.join(runbooks)}." if runbooks else "None.", hint)]
