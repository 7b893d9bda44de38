"""Picture files as arrays of pixels that lose nothing: not a bit, a channel, nor which way is up.

Pillow reads them; it has no colours of 16 bits, which TensorFlow reads out of PNG.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np
import PIL.Image
import tensorflow as tf

FORMATS = {
  'PNG': ('.png',),
  'JPEG': ('.jpg', '.jpeg', '.jpe', '.jfif'),
  'BMP': ('.bmp',),
  'GIF': ('.gif',),
  'WEBP': ('.webp',),
  'TIFF': ('.tif', '.tiff'),
}
SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)
SYSTEM = ('thumbs.db', 'desktop.ini', '__macosx')  # With names that begin with a dot.
ORIENTATION = 0x0112  # EXIF tag,
BITS_PER_SAMPLE = 258  # and one of TIFF.
DEEP = ('I;16', 'I;16B', 'I;16L', 'I;16N', 'I')
# Pillow mode -> the mode to convert to: pixels and perhaps alpha, 8 bits each.
CONVERSIONS = {
  '1': 'L',
  'L': 'L',
  'LA': 'LA',
  'La': 'LA',
  'RGB': 'RGB',
  'RGBX': 'RGB',
  'RGBA': 'RGBA',
  'RGBa': 'RGBA',
  'P': 'RGBA',
  'PA': 'RGBA',
  'CMYK': 'RGB',
  'YCbCr': 'RGB',
}


@dataclasses.dataclass(frozen=True)
class Header:
  """Facts of a file that stand before its pixels: height and width, upright; Pillow's mode."""

  size: tuple[int, int]
  mode: str

  @property
  def is_grey(self) -> bool:
    """True where the file has one channel, whatever its pixels."""
    return self.mode in ('1', 'L', 'LA', 'La', *DEEP)


class PictureError(ValueError):
  """A file that is no picture, or none whose pixels are to be trusted."""


def is_picture(file: pathlib.Path) -> bool:
  """Tells by the name if a file is a picture."""
  return file.suffix.lower() in SUFFIXES


def is_hidden(name: str) -> bool:
  """Tells if a file or folder is an operating system's own: .DS_Store, ._a.png, Thumbs.db."""
  return name.startswith('.') or name.lower() in SYSTEM


def header(file: pathlib.Path) -> Header:
  """Reads size and mode; raises PictureError if the file is no picture."""
  with _opened(file) as picture:
    if picture.format == 'TIFF':  # Pillow turns these itself, when it reads the pixels.
      picture.load()
    width, height = picture.size
    turned = _orientation(picture) >= 5
    return Header((width, height) if turned else (height, width), picture.mode)


def pixels(file: pathlib.Path) -> np.ndarray:
  """Reads a picture upright: uint8 or uint16 [h, w, c], with 1 or 3 channels as the file has.

  Raises:
    PictureError: The file is no picture or damaged, has several frames, transparent pixels, or
      numbers of more than 16 bits.
  """
  with _opened(file) as picture:
    # MPO is a JPEG with a second picture behind, as telephones write it.
    if getattr(picture, 'is_animated', False) and picture.format != 'MPO':
      raise PictureError(
        f'`path` {file} has {getattr(picture, "n_frames", 2)} frames: save one of them as PNG.'
      )
    array = _decoded(file, picture)
    return _upright(_opaque(file, array), _orientation(picture))


@contextlib.contextmanager
def _opened(file: pathlib.Path) -> Iterator[PIL.Image.Image]:
  """Pillow's picture, whose errors become PictureErrors that name the file."""
  try:
    with PIL.Image.open(file, formats=list(FORMATS)) as picture:
      yield picture
  except PictureError:
    raise
  except PIL.UnidentifiedImageError as error:
    raise PictureError(
      f'`path` {file} is no picture ({", ".join(SUFFIXES)}), or is damaged.'
    ) from error
  except Exception as error:  # Whatever Pillow's formats raise on damaged bytes.
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    raise PictureError(f'`path` {file} cannot be read ({reason}): it may be damaged.') from error


def _decoded(file: pathlib.Path, picture: PIL.Image.Image) -> np.ndarray:
  """[h, w, c] of c = 1 to 4 channels, the last of 2 or 4 of which is alpha."""
  if picture.mode in DEEP:
    return _deep(file, np.asarray(picture))
  mode = CONVERSIONS.get(picture.mode)
  if mode is None:
    raise PictureError(
      f'`path` {file} has pixels of mode {picture.mode}: save it with 8 or 16 bits, or as .npy.'
    )
  if _has_deep_colours(file, picture):
    if picture.format != 'PNG':
      raise PictureError(f'`path` {file} has colours of 16 bits, which are read of PNG alone.')
    return tf.io.decode_png(file.read_bytes(), dtype=tf.uint16).numpy()
  if 'transparency' in picture.info and mode in ('L', 'RGB'):
    mode = {'L': 'LA', 'RGB': 'RGBA'}[mode]
  array = np.asarray(picture.convert(mode))
  return array if array.ndim == 3 else array[..., np.newaxis]


def _deep(file: pathlib.Path, array: np.ndarray) -> np.ndarray:
  """Grey of 16 bits, which Pillow may hold in 32."""
  if array.min() < 0 or array.max() > np.iinfo(np.uint16).max:
    raise PictureError(f'`path` {file} has pixels of more than 16 bits: save it as .npy.')
  return array.astype(np.uint16)[..., np.newaxis]


def _has_deep_colours(file: pathlib.Path, picture: PIL.Image.Image) -> bool:
  """True of colours, or grey and alpha, of more than 8 bits: Pillow would drop the lower ones."""
  if picture.format == 'PNG':
    with file.open('rb') as stream:
      return stream.read(25)[24:] == b'\x10'  # Bit depth, in the first chunk of every PNG.
  bits = getattr(picture, 'tag_v2', {}).get(BITS_PER_SAMPLE, 8)  # TIFF's tags.
  return int(np.max(bits)) > 8


def _opaque(file: pathlib.Path, array: np.ndarray) -> np.ndarray:
  """The channels without alpha, where all pixels are opaque."""
  channels = array.shape[-1]
  if channels in (1, 3):
    return array
  if not np.all(array[..., -1] == np.iinfo(array.dtype).max):
    raise PictureError(
      f'`path` {file} has transparent pixels, which have no value: flatten it over a background.'
    )
  return array[..., :-1]


def _orientation(picture: PIL.Image.Image) -> int:
  """EXIF orientation; of a PNG, Pillow would decode all of it to look behind the pixels."""
  if picture.format == 'PNG' and 'exif' not in picture.info:
    return 1
  return int(picture.getexif().get(ORIENTATION, 1))


def _upright(array: np.ndarray, orientation: int) -> np.ndarray:
  """The picture as it is to be seen, by its EXIF orientation, 1 to 8."""
  if orientation >= 5:
    array = np.swapaxes(array, 0, 1)
  if orientation in (3, 4, 7, 8):
    array = array[::-1]
  if orientation in (2, 3, 6, 7):
    array = array[:, ::-1]
  return array
