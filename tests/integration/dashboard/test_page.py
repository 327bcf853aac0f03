"""The static files, and the headers that every answer carries."""

import re
from importlib.resources import files
from pathlib import Path

import email_consumer.dashboard
from tests.integration.dashboard.harness import KEY, run_harness

STATIC = files("email_consumer.dashboard").joinpath("static")


async def test_the_page_lets_a_browser_run_and_load_only_its_own_files() -> None:
    async with run_harness() as harness:
        status, page, headers = await harness.ask("GET", "/")
        assert status == 200
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        policy = dict(directive.split(" ", 1) for directive in headers["Content-Security-Policy"].split("; "))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self'",
            "connect-src": "'self'",
            "frame-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
            "require-trusted-types-for": "'script'",
            "trusted-types": "'none'",
        }
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-cache"
        assert headers["Server"] == "email-consumer"
        assert not re.search(r"<script>|<style|style=| on\w+=|javascript:|https?:", page)


async def test_what_the_page_names_is_there_with_its_type() -> None:
    types = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
    async with run_harness() as harness:
        _, page, _ = await harness.ask("GET", "/")
        named = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
        assert len(named) == 7
        for path in named:
            status, _, headers = await harness.ask("GET", path)
            assert (status, headers["Content-Type"]) == (200, types[path.rpartition(".")[2]])
            assert headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_all_of_it_is_small_and_compressed() -> None:
    folder = Path(email_consumer.dashboard.__file__).parent / "static"
    paths = [f"/assets/{path.relative_to(folder)}" for path in folder.rglob("*.*") if path.suffix != ".html"]
    async with run_harness() as harness:
        total = 0
        for path in ["/", *paths]:
            plain = await harness.ask("GET", path, Accept_Encoding="identity")
            compressed = await harness.ask("GET", path, Accept_Encoding="gzip, br")
            assert compressed[1] == plain[1]
            assert ("Content-Encoding" in plain[2], compressed[2]["Content-Encoding"]) == (False, "gzip")
            total += int(compressed[2]["Content-Length"])
        assert total < 80_000


async def test_a_file_is_sent_once() -> None:
    async with run_harness() as harness:
        for path in ("/", "/assets/app.js"):
            _, _, headers = await harness.ask("GET", path)
            status, body, again = await harness.ask("GET", path, If_None_Match=headers["ETag"])
            assert (status, body, again["ETag"]) == (304, "", headers["ETag"])
            assert await harness.status("GET", path, If_None_Match='"older"') == 200


async def test_no_path_leads_out_of_the_folder() -> None:
    async with run_harness() as harness:
        for path in (
            "/assets/nothing",
            "/assets/",
            "/assets/..%2fpage.py",
            "/assets/%2e%2e/page.py",
            "/assets//app.js",
        ):
            assert await harness.status("GET", path) == 404


async def test_answers_of_the_api_are_neither_kept_nor_guessed_at() -> None:
    async with run_harness() as harness:
        for path, expected in (("/v1/thing", 200), ("/v1/nowhere", 404)):
            status, _, headers = await harness.ask("GET", path, X_API_KEY=KEY)
            assert status == expected
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert headers["Server"] == "email-consumer"


def test_no_script_of_ours_writes_markup_and_the_chart_library_has_its_licence() -> None:
    scripts = [entry for entry in STATIC.iterdir() if entry.name.endswith(".js")]
    assert len(scripts) > 10
    for script in scripts:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script.read_text()
        )
        assert not re.search(r"localStorage|sessionStorage", script.read_text())
    licence = STATIC.joinpath("vendor", "uplot", "LICENSE").read_text()
    assert "MIT License" in licence
    assert "uPlot (v" in STATIC.joinpath("vendor", "uplot", "uPlot.iife.min.js").read_text()[:80]
