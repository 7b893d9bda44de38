"""Files of web servers, and of those that they redirect to."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from typing import IO, Any

from ma_keras.pretrained.content import check_size, head, printable

SECONDS = 30.0  # Without a byte from the server.
TOO_MANY_REQUESTS = 429
MOST_REASON = 200  # Characters that are shown.


class Redirects(urllib.request.HTTPRedirectHandler):
  """Follows redirects to http and https alone, and none that leaves https."""

  def redirect_request(
    self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
  ) -> urllib.request.Request | None:
    """See `HTTPRedirectHandler`."""
    fp.close()  # Its handler would read the body of the redirect, which may have no end.
    secure = urllib.parse.urlsplit(req.full_url).scheme == 'https'
    allowed = ('https',) if secure else ('http', 'https')
    if urllib.parse.urlsplit(newurl).scheme not in allowed:
      reason = f'{msg}, a redirect to {newurl}, and only {" or ".join(allowed)} is followed'
      raise urllib.error.HTTPError(newurl, code, reason, headers, fp)
    return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(address: str, most: int) -> bytes:
  """Content of the file at an address.

  Args:
    address: An address of http or https.
    most: The most bytes that it may have.

  Raises:
    ValueError: The server has no such file, or it is larger.
    OSError: The server cannot be reached, or cannot answer now.
  """
  try:
    with urllib.request.build_opener(Redirects).open(address, timeout=SECONDS) as response:
      content = head(response, most)
  except urllib.error.HTTPError as error:
    error.close()
    raise _answer(address, error) from None  # Whose text would reach a terminal as it is.
  except (OSError, ValueError, http.client.HTTPException) as error:
    # No network, no such host, a certificate, time.
    reason = printable(str(getattr(error, 'reason', error)))[:MOST_REASON]
    raise OSError(f'{address} cannot be reached ({reason}): check address and network') from None
  check_size(content, most, address)
  return content


def _answer(address: str, error: urllib.error.HTTPError) -> ValueError | OSError:
  """The error that an answer without content is: OSError if it may be another one later."""
  answer = f'{address} is answered by {error.code} {printable(str(error.reason))[:MOST_REASON]}'
  if error.code == TOO_MANY_REQUESTS or error.code >= http.client.INTERNAL_SERVER_ERROR:
    return OSError(f'{answer}: try again later')
  return ValueError(f'{answer}.')
