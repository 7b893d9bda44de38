"""Opens every page of the built site in Chromium: python -m website.browser build/site.

At the widths of a telephone and of a desk every page must load with all that it names, from its own
host alone, write no error to the console, and be no wider than the screen; every link within the
site must lead to a page, and to an anchor that is there; a search must find something. With
--screens=FOLDER the pages of --pages are photographed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import http.server
import pathlib
import shutil
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

from playwright import sync_api

WIDTHS = {390: 844, 1280: 800}  # Width of the screen: its height.
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
PAGES = ('', 'start/', 'transport/', 'reference/potentials/', 'results/')
SEARCHED = 'certificate'
# What a page knows of itself: ids, links, pictures that did not load, links without words, width.
LOOK = """() => ({
  ids: [...document.querySelectorAll('[id]')].map(e => e.id),
  links: [...document.querySelectorAll('a[href]')].map(e => e.href),
  broken: [...document.images].filter(e => !e.complete || !e.naturalWidth).map(e => e.src),
  nameless: [...document.querySelectorAll('article a[href]')].filter(
    e => !e.textContent.trim() && !e.querySelector('img, svg') && !e.ariaLabel && !e.title
  ).map(e => e.href),
  width: document.documentElement.scrollWidth,
})"""


@dataclasses.dataclass
class Page:
  """A page as the browser met it.

  Attributes:
    ids: Anchors.
    links: Addresses that it links to, absolute.
    faults: A line for everything that is wrong.
  """

  ids: set[str]
  links: set[str]
  faults: list[str]


class Quiet(http.server.SimpleHTTPRequestHandler):
  """Serves files and writes no log."""

  def log_message(self, *arguments: Any) -> None:
    """Called for every request."""


@contextlib.contextmanager
def served(folder: pathlib.Path) -> Iterator[str]:
  """The folder on a free port of this machine; yields the address."""
  handler = functools.partial(Quiet, directory=str(folder))
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}/'
    server.shutdown()


@contextlib.contextmanager
def browser() -> Iterator[sync_api.Browser]:
  """Chromium: that of this machine, or else the one that playwright installs."""
  paths = [path for path in map(shutil.which, BROWSERS) if path]
  with sync_api.sync_playwright() as playwright:
    options = {'executable_path': paths[0]} if paths else {}
    opened = playwright.chromium.launch(args=['--no-sandbox'], **options)
    yield opened
    opened.close()


def look_at(tab: sync_api.Page, address: str, root: str, width: int) -> Page:
  """Opens a page, and says what is wrong with it."""
  faults: list[str] = []

  def on_message(message: sync_api.ConsoleMessage) -> None:
    if message.type == 'error':
      faults.append(f'{message.text} {message.location["url"]}')

  def on_error(error: sync_api.Error) -> None:
    faults.append(f'script: {error}')

  def on_failure(request: sync_api.Request) -> None:
    # What the page before still asked for when it was left is aborted.
    if request.failure != 'net::ERR_ABORTED':
      faults.append(f'did not load: {request.url}')

  def on_request(request: sync_api.Request) -> None:
    if foreign(request.url, root):
      faults.append(f'asks another host: {request.url}')

  listeners: dict[Any, Any] = {
    'console': on_message,
    'pageerror': on_error,
    'requestfailed': on_failure,
    'request': on_request,
  }
  for event, listener in listeners.items():
    tab.on(event, listener)
  response = tab.goto(address, wait_until='load')
  if response is None or response.status != 200:
    faults.append('does not load')
  seen = tab.evaluate(LOOK)
  for event, listener in listeners.items():
    tab.remove_listener(event, listener)
  faults += [f'picture that does not show: {source}' for source in seen['broken']]
  faults += [f'link without words: {link}' for link in seen['nameless']]
  if seen['width'] > width:
    faults.append(f'{seen["width"]} points wide')
  return Page(set(seen['ids']), set(seen['links']), faults)


def foreign(address: str, root: str) -> bool:
  """Tells if a page asks another host for something."""
  return not address.startswith((root, 'data:', 'blob:'))


def dead_links(pages: dict[str, Page], root: str, folder: pathlib.Path) -> list[str]:
  """A line for every link within the site that leads nowhere."""
  dead = []
  for address, page in pages.items():
    for link in sorted(page.links):
      target, _, anchor = link.partition('#')
      if foreign(target, root):
        continue
      path = folder / urllib.parse.unquote(target.removeprefix(root).partition('?')[0])
      if not (path / 'index.html' if path.is_dir() else path).exists():
        dead.append(f'{address}: {link} is not there')
      elif anchor and target in pages and urllib.parse.unquote(anchor) not in pages[target].ids:
        dead.append(f'{address}: {link} has no such anchor')
  return dead


def search(tab: sync_api.Page, root: str) -> list[str]:
  """A line if the search finds nothing."""
  tab.goto(f'{root}?q={SEARCHED}')
  try:
    tab.wait_for_selector('.md-search-result__item', state='attached', timeout=20000)
  except sync_api.TimeoutError:
    return [f'The search for "{SEARCHED}" finds nothing.']
  return []


def addresses(folder: pathlib.Path, root: str) -> list[str]:
  """Addresses of all pages."""
  paths = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob('*.html'))]
  return [f'{root}{path.removesuffix("index.html")}' for path in paths if path != '404.html']


def check(folder: pathlib.Path) -> list[str]:
  """Opens every page at every width, and returns what is wrong."""
  faults: list[str] = []
  with served(folder) as root, browser() as opened:
    for width, height in WIDTHS.items():
      tab = opened.new_page(viewport={'width': width, 'height': height})
      pages = {page: look_at(tab, page, root, width) for page in addresses(folder, root)}
      faults += [f'{page} ({width}): {f}' for page, seen in pages.items() for f in seen.faults]
      faults += search(tab, root)
    faults += dead_links(pages, root, folder)
    print(f'{len(pages)} pages at {len(WIDTHS)} widths: {len(faults)} faults.')
  return faults


def photograph(folder: pathlib.Path, pages: list[str], screens: pathlib.Path) -> None:
  """Writes a picture of each page at every width."""
  screens.mkdir(parents=True, exist_ok=True)
  with served(folder) as root, browser() as opened:
    for width, height in WIDTHS.items():
      tab = opened.new_page(viewport={'width': width, 'height': height})
      for page in pages:
        tab.goto(f'{root}{page}', wait_until='load')
        name = page.strip('/').replace('/', '_') or 'home'
        tab.screenshot(path=str(screens / f'{name}_{width}.png'), full_page=True)


def main(arguments: list[str] | None = None) -> int:
  """Exit code 1 if anything is wrong."""
  parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
  parser.add_argument('site', type=pathlib.Path)
  parser.add_argument('--screens', type=pathlib.Path)
  parser.add_argument('--pages', nargs='*', default=PAGES)
  options = parser.parse_args(arguments)
  if options.screens:
    photograph(options.site, options.pages, options.screens)
    return 0
  faults = check(options.site)
  print('\n'.join(faults), file=sys.stderr)
  return 1 if faults else 0


if __name__ == '__main__':
  sys.exit(main())
