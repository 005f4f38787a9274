"""Checks that a saved notebook can be shared and displays everywhere."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
PICTURES = ("image/png", "image/jpeg")
STATIC = ("text/html", "text/markdown", *PICTURES)

PRIVATE = {
    "path": r"(?<![\w.])/(?:home|root|tmp|work|Users|var)/",
    "windows path": r"[A-Z]:\\\\Users",
    "header": r"Bearer\s+\S+",
    "token": r"\b\d{1,5}~[A-Za-z0-9]{16,}",
    "signed link": r"(?:verifier|access_token|Signature)=",
    "port": r"(?:127\.0\.0\.1|localhost):\d+",
}
MODEL_KEYS = {"model_name", "model_module", "model_module_version", "state"}


def faults(notebook: Mapping[str, Any]) -> list[str]:
    """Return the problems that should keep a notebook from being shared; an empty list if there are none."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [*_errors(cells), *_private(notebook), *_widget_state(notebook), *_widget_views(notebook, cells)]


def _errors(cells: list[Any]) -> Iterator[str]:
    for cell in cells:
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                yield f"an error: {output['ename']}"
            if output.get("name") == "stderr":
                yield f"text on stderr: {''.join(output['text'])[:60]}"


def _private(notebook: Mapping[str, Any]) -> Iterator[str]:
    bare = json.loads(json.dumps(notebook))
    for cell in bare["cells"]:
        for output in cell.get("outputs", []):
            for picture in PICTURES:  # base64 can contain any text
                output.get("data", {}).pop(picture, None)
    text = json.dumps(bare, ensure_ascii=False)
    for name, pattern in PRIVATE.items():
        if found := re.search(pattern, text):
            yield f"{name}: {text[max(found.start() - 20, 0) : found.end() + 20]}"
    for model in _models(notebook).values():
        if model.get("model_name") == "PasswordModel" and model.get("state", {}).get("value"):
            yield "a password in a widget's state"


def _models(notebook: Mapping[str, Any]) -> dict[str, Any]:
    saved = notebook["metadata"].get("widgets", {}).get(STATE, {})
    return dict(saved.get("state", {}))


def _widget_state(notebook: Mapping[str, Any]) -> Iterator[str]:
    """GitHub does not display a notebook if its widget metadata has no state."""
    for kind, saved in notebook["metadata"].get("widgets", {}).items():
        if kind != STATE or not isinstance(saved.get("state"), dict):
            yield f"widget metadata {kind} without a state"
        elif saved.get("version_major") != 2:
            yield "widget metadata of another version"
    for name, model in _models(notebook).items():
        if not set(model) >= MODEL_KEYS:
            yield f"widget model {name} lacks {', '.join(sorted(MODEL_KEYS - set(model)))}"


def _widget_views(notebook: Mapping[str, Any], cells: list[Any]) -> Iterator[str]:
    """A widget without a kernel is blank, so it needs a static output beside or below it."""
    models = _models(notebook)
    for number, cell in enumerate(cells):
        shown = [output.get("data", {}) for output in cell["outputs"]]
        views = [data[VIEW]["model_id"] for data in shown if VIEW in data]
        if models and not set(views) <= set(models):
            yield f"cell {number}: a widget that is not in the saved state"
        after = cells[number + 1]["outputs"] if number + 1 < len(cells) else []
        beside = [set(data) for data in (*shown, *(output.get("data", {}) for output in after))]
        if views and not any(kinds & set(STATIC) for kinds in beside):
            yield f"cell {number}: a widget without a static output"
