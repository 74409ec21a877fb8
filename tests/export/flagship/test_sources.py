"""Wrong, truncated, renamed and hostile files are refused by a sentence that names them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="converting needs requirements/flagship.txt")
pytest.importorskip("gensim", reason="the files are written by gensim (requirements/flagship.txt)")
torch = pytest.importorskip("torch", reason="two layouts are PyTorch's (requirements/export.txt)")

import h5py  # noqa: E402

from export.flagship import (  # noqa: E402
    age_gender,
    fusion,
    keras_files,
    speech_cnn,
    text_encoder,
    vgg_face,
    video_emotion,
)
from export.flagship.errors import SourceError  # noqa: E402
from export.flagship.files import Files  # noqa: E402
from export.flagship.word2vec import read_word2vec  # noqa: E402
from tests.export.flagship import originals  # noqa: E402


class Bomb:
    """A pickle that would leave a file behind when it is run."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return Path.touch, (self.trace,)


def edit(file: Path, change: Callable[[dict], None]) -> None:
    """Change the model that an HDF5 file describes."""
    with h5py.File(file, "r+") as root:
        config = json.loads(root.attrs["model_config"])
        change(config)
        root.attrs["model_config"] = json.dumps(config).encode()


def test_a_missing_file_is_told_with_the_names_that_were_looked_for(tmp_path):
    with pytest.raises(SourceError, match=r"Model|emotion_age_gender.*--file speech_cnn=PATH"):
        speech_cnn.read(Files(tmp_path))


def test_two_files_that_could_be_meant_are_not_guessed_between(tmp_path):
    for folder in ("a", "b"):
        originals.write_video_emotion(tmp_path / folder)
    with pytest.raises(SourceError, match="choose by --file"):
        video_emotion.read(Files(tmp_path))
    chosen = tmp_path / "a" / "lstm-features.sample.hdf5"
    assert video_emotion.read(Files(tmp_path, {"video_emotion": chosen})).files == [chosen]


def test_of_fusion_networks_the_newest_is_taken(tmp_path):
    import os

    originals.write_fusion(tmp_path / "old")
    originals.write_fusion(tmp_path / "new")
    for file in (tmp_path / "old").iterdir():
        os.utime(file, (0, 0))
    assert {file.parent.name for file in fusion.read(Files(tmp_path)).files} == {"new"}


@pytest.mark.parametrize("kept", [0, 100, 5_000])
def test_a_truncated_hdf5_file_is_named(tmp_path, kept):
    file = originals.write_video_emotion(tmp_path)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(SourceError, match=r"lstm-features\.sample\.hdf5: cannot be read as HDF5"):
        video_emotion.read(Files(tmp_path))


def test_another_networks_file_under_the_name_is_told_by_its_layers(tmp_path):
    file = originals.write_speech(tmp_path)
    file.rename(tmp_path / "lstm.h5")
    with pytest.raises(SourceError, match=r"lstm\.h5: has model_features .* expected an LSTM"):
        video_emotion.read(Files(tmp_path))
    (tmp_path / "lstm.h5").rename(tmp_path / "5Y_text_emotion_200728.h5")
    originals.write_word2vec(tmp_path)
    with pytest.raises(SourceError, match=r"text_emotion.*takes \[200, 40, 1\], expected \[48\]"):
        text_encoder.read(Files(tmp_path))


def test_weights_alone_where_a_model_is_needed_are_refused(tmp_path):
    originals.write_video_emotion(tmp_path).rename(tmp_path / "emotion_age_gender.h5")
    with pytest.raises(SourceError, match="holds weights without a model"):
        speech_cnn.read(Files(tmp_path))


def test_a_renamed_layer_is_named(tmp_path):
    file = originals.write_vgg_face(tmp_path)
    with h5py.File(file, "r+") as root:
        root.move("conv3_2", "conv3_9")
        names = [name.replace(b"conv3_2", b"conv3_9") for name in root.attrs["layer_names"]]
        root.attrs["layer_names"] = names
    with pytest.raises(SourceError, match=r"AffectNet_scratch_best\.h5: layer conv3_2: is missing"):
        vgg_face.read(Files(tmp_path))


def test_a_layer_of_another_shape_is_named(tmp_path):
    writer = originals.Writer()
    writer.put("lstm_1", None, **writer.recurrent("lstm_1", 2048, 8))
    writer.kernel("dense_1", 8, 512)
    writer.kernel("dense_2", 512, 7)
    writer.save(tmp_path / "lstm.h5")
    wanted = r"layer lstm_1: lstm_1/kernel has shape \[2048, 32\], expected \[4096, 32\]"
    with pytest.raises(SourceError, match=wanted):
        video_emotion.read(Files(tmp_path))


def test_a_missing_sub_model_is_named(tmp_path):
    file = originals.write_speech(tmp_path)
    text = file.read_bytes().replace(b"model_features", b"model_sfeature")
    file.write_bytes(text)
    with pytest.raises(SourceError, match="layer model_features: is missing; the model has"):
        speech_cnn.read(Files(tmp_path))


def test_code_in_a_keras_file_is_refused_and_named(tmp_path):
    file = originals.write_speech(tmp_path)

    def hide_code(config: dict) -> None:
        nested = config["config"]["layers"][1]["config"]["layers"]
        nested[3] = originals.layer("Lambda", "activation_1", "bn_1", function=["code", None, None])

    edit(file, hide_code)
    with pytest.raises(SourceError, match="layer activation_1: of class Lambda is refused"):
        keras_files.load_model(file)


def test_a_class_of_another_module_is_refused(tmp_path):
    file = originals.write_speech(tmp_path)

    def change(config: dict) -> None:
        config["config"]["layers"][2]["module"] = "os"

    edit(file, change)
    with pytest.raises(SourceError, match="layer emotion: of class Dense is refused"):
        keras_files.load_model(file)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"class_name": "Dense"}', b"\xff\xfe"])
def test_json_without_a_model_is_named(tmp_path, content):
    file = originals.write_vgg_face(tmp_path)
    Path(f"{file}.json").write_bytes(content)
    with pytest.raises(SourceError, match=r"AffectNet_scratch_best\.h5\.json: "):
        vgg_face.read(Files(tmp_path))


def test_a_pickle_of_more_than_tensors_is_refused_and_not_run(tmp_path):
    trace = tmp_path / "trace"
    torch.save({"conv1_1.weight": Bomb(trace)}, tmp_path / "vgg_face.pt")
    with pytest.raises(SourceError, match=r"vgg_face\.pt: is refused: it holds more than tensors"):
        vgg_face.read(Files(tmp_path))
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"not a pickle at all", b"PK\x03\x04"])
def test_a_file_that_pytorch_cannot_read_is_named(tmp_path, content):
    (tmp_path / "vgg_face.pt").write_bytes(content)
    with pytest.raises(SourceError, match=r"vgg_face\.pt: "):
        vgg_face.read(Files(tmp_path))


def test_a_state_dict_without_a_layer_names_it(tmp_path):
    state = originals.vggface_state()
    del state["conv4_2.weight"], state["conv4_2.bias"]
    torch.save({key: torch.from_numpy(value.copy()) for key, value in state.items()},
               tmp_path / "vgg.pt")  # fmt: skip
    with pytest.raises(SourceError, match=r"vgg\.pt: layer conv4_2: is missing"):
        vgg_face.read(Files(tmp_path))


def test_a_word2vec_pickle_that_would_run_something_is_refused_and_not_run(tmp_path):
    trace = tmp_path / "trace"
    file = tmp_path / "5Y_w2v.model"
    file.write_bytes(pickle.dumps(Bomb(trace)))
    with pytest.raises(SourceError, match=r"5Y_w2v\.model: is refused .* would run"):
        read_word2vec(file)
    assert not trace.exists()


def test_a_checkpoint_without_its_data_is_named(tmp_path):
    index = originals.write_age(tmp_path)
    originals.write_gender(tmp_path)
    next(index.parent.glob("*.data-*")).unlink()
    with pytest.raises(SourceError, match="ckpt-30000"):
        age_gender.read(Files(tmp_path))


def test_a_truncated_checkpoint_is_named(tmp_path):
    index = originals.write_age(tmp_path)
    originals.write_gender(tmp_path)
    data = next(index.parent.glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:1_000])
    with pytest.raises(SourceError, match="ckpt-30000"):
        age_gender.read(Files(tmp_path))


def test_a_checkpoint_without_a_variable_names_the_layer(tmp_path):
    originals.write_gender(tmp_path)
    variables = originals.age_variables()
    place = "InceptionResnetV1/Repeat_1/block17_4/Branch_1/Conv2d_0b_1x7"
    del variables[f"{place}/weights"]
    originals.write_checkpoint(tmp_path / "age" / "ckpt-1", variables)
    with pytest.raises(SourceError, match=f"ckpt-1: layer {place}: one weights or kernel"):
        age_gender.read(Files(tmp_path))


def test_a_checkpoint_of_other_classes_is_refused(tmp_path):
    originals.write_gender(tmp_path)
    variables = originals.age_variables()
    variables["fc2/kernel"] = variables["fc2/kernel"][:, :10]
    originals.write_checkpoint(tmp_path / "age" / "ckpt-1", variables)
    with pytest.raises(SourceError, match="layer fc2: gives 10 classes, expected 62"):
        age_gender.read(Files(tmp_path))
