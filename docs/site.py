"""What the site needs beside its pages: the notebook as a page, and links that lead out of docs/ left out.

A hook of MkDocs (`mkdocs.yml`). In: `docs/notebook.ipynb`, with its outputs. Out: the page `notebook.md`, cells as they are.
"""

import html
import json
import re
from pathlib import Path
from typing import Any

__all__ = ["on_page_markdown", "page_of"]

OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\)")
NOTEBOOK = "<!-- the cells of notebook.ipynb stand here -->"


def page_of(notebook: dict[str, Any]) -> str:
    """Return a notebook as Markdown: texts, code, and what each cell said."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "text/html" in data:
                parts.append(f'<div markdown="0">{"".join(data["text/html"])}</div>')
            elif text := "".join(output.get("text", data.get("text/plain", ""))):
                parts.append(f"<pre>{html.escape(text)}</pre>")
    return "\n\n".join(parts)


def on_page_markdown(markdown: str, config: Any, **_: Any) -> str:
    """Put the notebook into its page; outside the repository's docs a link is its text."""
    if NOTEBOOK in markdown:
        notebook = json.loads((Path(config["docs_dir"]) / "notebook.ipynb").read_text(encoding="utf-8"))
        markdown = markdown.replace(NOTEBOOK, page_of(notebook))
    return OUTSIDE.sub(r"\1", markdown)
