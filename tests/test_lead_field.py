"""Lead fields of the cleaning: a sphere, a template head, a forward solution on disk."""

import mne
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from excitability import cleaning
from excitability.cleaning._leadfield import _FETCH, leadfield_of
from excitability.simulate.fields import CHANNELS, eeg_info

PICKS = np.arange(len(CHANNELS))


@pytest.fixture
def epochs():
    info = mne.create_info(list(CHANNELS), 1000.0, "eeg")
    x = 1e-6 * np.random.default_rng(0).standard_normal((8, len(CHANNELS), 600))
    made = mne.EpochsArray(x, info, tmin=-0.3, verbose="error")
    return made.set_montage("colin27_1005", verbose="error")


def ball(n):
    """Points on the unit sphere and triangles that face outwards."""
    index = np.arange(n) + 0.5
    height, angle = 1 - 2 * index / n, np.pi * (1 + 5**0.5) * index
    ring = np.sqrt(1 - height**2)
    points = np.column_stack([ring * np.cos(angle), ring * np.sin(angle), height])
    triangles = ConvexHull(points).simplices
    normals = np.cross(*(points[triangles[:, i]] - points[triangles[:, 0]] for i in (1, 2)))
    inwards = np.sum(normals * points[triangles].mean(axis=1), axis=1) < 0
    triangles[inwards] = triangles[inwards, ::-1]
    return points, triangles


@pytest.fixture
def template(tmp_path, monkeypatch, epochs):
    """A template head of three spheres where MNE keeps its own, with dipoles that point outwards."""
    radius, origin, _ = mne.bem.fit_sphere_to_headshape(epochs.info, dig_kinds="eeg", units="m", verbose="error")
    to_head = mne.read_trans(f"{mne.__path__[0]}/data/fsaverage/fsaverage-trans.fif", verbose="error")
    if to_head["from"] != mne.io.constants.FIFF.FIFFV_COORD_MRI:
        to_head = mne.transforms.invert_transform(to_head)
    middle = mne.transforms.apply_trans(mne.transforms.invert_transform(to_head), origin)
    folder = tmp_path / "fsaverage" / "bem"
    folder.mkdir(parents=True)
    points, triangles = ball(300)
    model = []
    for number, share, conductivity in ((4, 1.0, 0.33), (3, 85 / 88, 0.33 / 50), (1, 81 / 88, 0.33)):
        shell = {"rr": middle + share * radius * points, "tris": triangles, "id": number, "sigma": conductivity}
        shell |= {"np": len(points), "ntri": len(triangles), "coord_frame": mne.io.constants.FIFF.FIFFV_COORD_MRI}
        model.append(mne.surface.complete_surface_info(shell, copy=False, verbose="error"))
    solution = mne.make_bem_solution(model, verbose="error")
    mne.write_bem_solution(folder / "fsaverage-5120-5120-5120-bem-sol.fif", solution, verbose="error")
    directions, _ = ball(200)
    source = {"rr": middle + 0.7 * radius * directions, "nn": directions}
    space = mne.setup_volume_source_space(pos=source, sphere_units="m", verbose="error")
    space[0]["coord_frame"] = np.int32(mne.io.constants.FIFF.FIFFV_COORD_MRI)
    mne.write_source_spaces(folder / "fsaverage-ico-5-src.fif", space, verbose="error")
    monkeypatch.setenv("SUBJECTS_DIR", str(tmp_path))
    return origin, 0.7 * radius * directions, directions


def test_a_template_head_of_spheres_gives_the_field_of_a_sphere(epochs, template):
    origin, places, directions = template
    found = leadfield_of(epochs, PICKS, "fsaverage")
    sphere = mne.make_sphere_model(
        origin,
        "auto",
        epochs.info,
        relative_radii=(81 / 88, 85 / 88, 1.0),
        sigmas=(0.33, 0.33 / 50, 0.33),
        verbose="error",
    )
    space = mne.setup_volume_source_space(
        pos={"rr": origin + places, "nn": directions}, sphere_units="m", verbose="error"
    )
    known = mne.make_forward_solution(epochs.info, None, space, sphere, meg=False, eeg=True, verbose="error")
    gain = known["sol"]["data"].reshape(len(CHANNELS), -1, 3)
    expected = np.einsum("cdk,dk->cd", gain, directions)
    expected -= expected.mean(axis=0)
    assert found.shape == expected.shape
    alike = np.sum(found * expected, axis=0) / np.linalg.norm(found, axis=0) / np.linalg.norm(expected, axis=0)
    assert np.median(alike) > 0.98


def test_sound_takes_the_template_head_and_a_file(epochs, template, tmp_path):
    by_name = cleaning.sound(epochs, leadfield="fsaverage")
    given = cleaning.sound(epochs, leadfield=leadfield_of(epochs, PICKS, "fsaverage"))
    np.testing.assert_allclose(by_name.get_data(), given.get_data(), rtol=1e-6, atol=1e-15)
    info = eeg_info(CHANNELS, 1000.0)
    space = mne.setup_volume_source_space(pos=30.0, sphere=(0.0, 0.0, 0.04, 0.09), sphere_units="m", verbose="error")
    sphere = mne.make_sphere_model("auto", "auto", info, verbose="error")
    forward = mne.make_forward_solution(info, None, space, sphere, meg=False, eeg=True, verbose="error")
    mne.write_forward_solution(tmp_path / "own-fwd.fif", forward, verbose="error")
    from_file = leadfield_of(epochs, PICKS, str(tmp_path / "own-fwd.fif"))
    known = leadfield_of(epochs, PICKS, forward)
    # the file holds single precision, of values before the average of the channels was taken off
    np.testing.assert_allclose(from_file, known, rtol=0, atol=1e-6 * np.abs(forward["sol"]["data"]).max())


def test_a_lead_field_that_is_not_there_says_what_to_type(epochs, tmp_path, monkeypatch):
    monkeypatch.setenv("SUBJECTS_DIR", str(tmp_path))
    with pytest.raises(ValueError, match="download it once") as caught:
        leadfield_of(epochs, PICKS, "fsaverage")
    assert _FETCH in str(caught.value)
    with pytest.raises(ValueError, match="no file"):
        leadfield_of(epochs, PICKS, "fsaverge")
