"""Every mode of a picture file gives back the pixels that were put in, or says why not."""

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tensorflow as tf

from ma_keras.data import picture_files
from ma_keras.data.picture_files import PictureError

GREY = np.random.default_rng(0).integers(0, 256, (5, 7), np.uint8)
COLOURS = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
SHORTS = np.random.default_rng(2).integers(0, 65536, (5, 7), np.uint16)
OPAQUE = np.full((5, 7), 255, np.uint8)


def grey(array):
  return array[..., np.newaxis]


def of(array, mode=None):
  return PIL.Image.fromarray(array) if mode is None else PIL.Image.fromarray(array).convert(mode)


FILES = {
  'grey.png': (lambda: of(GREY), grey(GREY)),
  'grey.bmp': (lambda: of(GREY), grey(GREY)),
  'grey.tif': (lambda: of(GREY), grey(GREY)),
  'grey.gif': (lambda: of(GREY), np.repeat(grey(GREY), 3, axis=-1)),
  'stored_as_rgb.png': (lambda: of(GREY, 'RGB'), np.repeat(grey(GREY), 3, axis=-1)),
  'bits.png': (lambda: of(GREY > 99), grey(255 * (GREY > 99).astype(np.uint8))),
  'opaque.png': (lambda: of(np.dstack([GREY, OPAQUE])), grey(GREY)),
  'palette.png': (lambda: of(GREY).convert('P'), np.repeat(grey(GREY), 3, axis=-1)),
  'rgb.png': (lambda: of(COLOURS), COLOURS),
  'rgb.TIFF': (lambda: of(COLOURS), COLOURS),
  'opaque_rgb.png': (lambda: of(np.dstack([COLOURS, OPAQUE])), COLOURS),
  'deep.png': (lambda: of(SHORTS), grey(SHORTS)),
  'deep.tif': (lambda: of(SHORTS), grey(SHORTS)),
}


def assert_pixels(file, expected):
  array = picture_files.pixels(file)
  assert array.dtype == expected.dtype
  np.testing.assert_array_equal(array, expected)
  assert picture_files.header(file).size == expected.shape[:2]


@pytest.mark.parametrize('name', FILES)
def test_lossless_files_give_back_their_pixels(tmp_path, name):
  picture, expected = FILES[name]
  picture().save(tmp_path / name)
  assert_pixels(tmp_path / name, expected)


def test_webp_and_jpeg(tmp_path):
  of(COLOURS).save(tmp_path / 'x.webp', lossless=True)
  assert_pixels(tmp_path / 'x.webp', COLOURS)
  of(GREY).save(tmp_path / 'x.jpg')
  assert_pixels(tmp_path / 'x.jpg', grey(np.asarray(PIL.Image.open(tmp_path / 'x.jpg'))))


@pytest.mark.parametrize('channels', [1, 3, 4])
def test_colours_of_sixteen_bits_keep_all_of_them(tmp_path, channels, rng):
  """Pillow would read them in eight."""
  deep = rng.integers(0, 65536, (5, 7, channels), np.uint16)
  deep[..., 3:] = 65535
  (tmp_path / 'x.png').write_bytes(tf.io.encode_png(deep).numpy())
  assert_pixels(tmp_path / 'x.png', deep[..., :3])


def test_grey_and_alpha_of_sixteen_bits(tmp_path):
  deep = np.dstack([SHORTS, np.full_like(SHORTS, 65535)])
  (tmp_path / 'x.png').write_bytes(tf.io.encode_png(deep).numpy())
  assert_pixels(tmp_path / 'x.png', grey(SHORTS))


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('suffix', ['png', 'jpg', 'tif', 'webp'])
def test_exif_says_which_way_is_up(tmp_path, orientation, suffix):
  file = tmp_path / f'x.{suffix}'
  exif = PIL.Image.Exif()
  exif[picture_files.ORIENTATION] = orientation
  of(COLOURS).save(file, exif=exif)
  expected = np.asarray(PIL.ImageOps.exif_transpose(PIL.Image.open(file)).convert('RGB'))
  assert_pixels(file, expected)
  assert expected.shape[:2] == ((5, 7) if orientation < 5 else (7, 5))


def test_transparent_pixels_have_no_value(tmp_path):
  holes = OPAQUE.copy()
  holes[2, 3] = 254
  of(np.dstack([COLOURS, holes])).save(tmp_path / 'rgba.png')
  of(np.dstack([GREY, holes])).save(tmp_path / 'la.png')
  of(GREY).convert('P').save(tmp_path / 'palette.png', transparency=int(GREY[0, 0]))
  of(GREY).save(tmp_path / 'key.png', transparency=int(GREY[0, 0]))
  for name in ('rgba', 'la', 'palette', 'key'):
    with pytest.raises(PictureError, match=rf'{name}\.png has transparent pixels'):
      picture_files.pixels(tmp_path / f'{name}.png')


def test_what_would_lose_something_is_refused(tmp_path, rng):
  of(COLOURS).save(tmp_path / 'x.gif', save_all=True, append_images=[of(COLOURS[::-1].copy())])
  with pytest.raises(PictureError, match=r'x\.gif has 2 frames'):
    picture_files.pixels(tmp_path / 'x.gif')
  of(rng.normal(size=(5, 7)).astype(np.float32)).save(tmp_path / 'x.tif')
  with pytest.raises(PictureError, match=r'x\.tif .*\.npy'):
    picture_files.pixels(tmp_path / 'x.tif')
  of(SHORTS.astype(np.int32) + 65536).save(tmp_path / 'y.tif')
  with pytest.raises(PictureError, match=r'y\.tif has pixels of more than 16 bits'):
    picture_files.pixels(tmp_path / 'y.tif')


@pytest.mark.parametrize('suffix', ['png', 'jpg', 'bmp', 'gif', 'tif', 'webp'])
def test_damaged_files_are_named(tmp_path, suffix, rng):
  file = tmp_path / f'x.{suffix}'
  of(rng.integers(0, 256, (50, 70, 3), np.uint8)).save(file)
  content = file.read_bytes()
  for length in (0, 3, 20, len(content) // 2):
    file.write_bytes(content[:length])
    with pytest.raises(PictureError, match=rf'`path` .*x\.{suffix} '):
      picture_files.pixels(file)
