"""The code keeps the rules of docs/architecture.md, and the checker sees what breaks them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.rules import Source, broken_rules, imports, sources

ROOT = Path(__file__).resolve().parents[2]


def test_the_code_keeps_the_rules() -> None:
    modules = sources(ROOT)
    assert {"app.config", "voice.store", "voice.worker"} <= {source.module for source in modules}
    assert [line for source in modules for line in broken_rules(source)] == []


def test_imports_are_absolute() -> None:
    relative = [
        f"{source.module}:{line}"
        for source in sources(ROOT)
        for line, name in imports(ast.parse(source.text))
        if name.startswith(".")
    ]
    assert relative == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("app.services.messages", "import voice"),
        ("app.services.messages", "from voice.spool import read"),
        ("app.web.pages", "def page():\n    from voice import jobs"),
        ("app.web.pages", "import importlib\nimportlib.import_module('voice.jobs')"),
        ("voice.worker", "from app.services import messages"),
        ("voice.worker", "from app import create_app"),
        ("voice.owner_client", "from app.services import phone_access"),
        ("voice.flows.leave_message", "import app.models.mailbox"),
        ("voice.worker", "import pyVoIP.VoIP"),
        ("voice.flows.leave_message", "from pyVoIP.SIP import SIPMessage"),
        ("voice.sip.phone", "from pyVoIP import RTP"),
        ("voice.media.loop", "from pyVoIP.VoIP import VoIPPhone"),
        ("app.services.pins", "from pyVoIP import SIP"),
        ("voice.worker", "import os\nos.environ['HOME']"),
        ("app.web", "import os\nos.getenv('HOME')"),
        ("app.web", "import os as system\nsystem.environ.get('HOME')"),
        ("wsgi", "from os import environ"),
        ("app.services.messages", "def save(queue):\n    queue.enqueue('x')"),
        ("voice.store", "from rq import Queue\nQueue('x').enqueue_call('y')"),
        ("app.jobs.run", "from rq.decorators import job"),
    ],
)
def test_a_broken_rule_is_seen(module: str, text: str) -> None:
    assert len(broken_rules(Source(module, text))) == 1


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("app.config", "import os\nos.environ['HOME']"),
        ("app.jobs.queue", "def put(queue):\n    queue.enqueue_call('voice.jobs.place_test_call')"),
        ("app.services.messages", "from app.jobs import queue\nqueue.enqueue_deliveries([])"),
        ("app.services.voices", "import voices"),
        ("voice.store", "from app.services import messages"),
        ("voice.owner_store", "from app.services import phone_access"),
        ("voice.jobs", "from app import create_app"),
        ("voice.worker", "from app.config import Settings"),
        ("voice.twiml.fetch", "from app import net"),
        ("voice.sip.phone", "import pyVoIP.VoIP\nfrom pyVoIP import SIP"),
        ("voice.media.stream", "from pyVoIP.RTP import RTPClient"),
        ("voice.worker", "class Plan:\n    environ = 1\nPlan.environ"),
    ],
)
def test_what_is_allowed_passes(module: str, text: str) -> None:
    assert broken_rules(Source(module, text)) == []


def test_a_package_bears_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "app" / "jobs" / "__init__.py"
    file.parent.mkdir(parents=True)
    file.write_text("")
    assert Source.of(file, tmp_path).module == "app.jobs"
