"""The networks' promises, on untrained weights."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks need PyTorch (requirements/export.txt)")

from export.networks import fusion_trial  # noqa: E402
from training.face import augment  # noqa: E402
from training.networks.attention import masked_weights  # noqa: E402
from training.networks.face import (  # noqa: E402
    SCALE,
    SURE,
    VOTE,
    AttributeNet,
    EmotionNet,
    Shrink,
    area_matrix,
)
from training.networks.fusion import Clip, FusionNet, ServedFusion  # noqa: E402
from training.networks.speech import Encoder, Heads  # noqa: E402
from training.networks.text import TextNet  # noqa: E402


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("source", "target"), [(4, 2), (224, 48), (5, 3)])
def test_shrinking_keeps_the_mean(source, target):
    matrix = area_matrix(source, target)
    torch.testing.assert_close(matrix.sum(1), torch.ones(target))
    torch.testing.assert_close(matrix.sum(0), torch.full((source,), target / source))


def test_a_grey_crop_shrinks_to_its_own_grey():
    faces = Shrink()(torch.full((1, 224, 224, 3), 90, dtype=torch.uint8))
    torch.testing.assert_close(faces, torch.full((1, 1, 48, 48), 90.0))


def test_lighting_hardly_changes_what_a_face_is_read_as():
    network = EmotionNet((4, 4, 4, 4)).eval()
    face = torch.rand(1, 1, 48, 48) * 200
    bright, dim = network(face)[1], network(face * 0.5)[1]
    torch.testing.assert_close(bright, dim, atol=0.15, rtol=0)


@pytest.mark.parametrize("shape", [(8, 1, 48, 48), (8, 3, 112, 112)])
def test_augmented_faces_stay_pictures(shape):
    faces = augment(torch.rand(shape) * 255)
    assert faces.shape == shape
    assert faces.isfinite().all() and faces.min() >= 0 and faces.max() <= 256


def test_the_expression_network_votes_only_where_it_is_sure():
    network, face = EmotionNet((4, 4, 4, 4)).eval(), torch.rand(1, 1, 48, 48) * 255
    network.expression.emotion.weight.zero_()
    answers = []
    for odds in (0.01, 1.0, 100.0):
        # One emotion against the six others.
        network.expression.emotion.bias[0] = SURE + torch.log(torch.tensor(6 * odds))
        network.expression.emotion.bias[1:] = 0.0
        answers.append(network(face))
    doubtful, even, sure = (features[0, -7:] for features, _ in answers)
    assert doubtful.max() < 0.01 and sure[0] > 0.99 and sure[1:].max() < 0.01
    assert even[0].item() == pytest.approx(0.5)
    gained = answers[2][1] - answers[0][1]
    torch.testing.assert_close(gained[0], SCALE * VOTE * torch.eye(7)[0], atol=0.05, rtol=0)


def test_a_face_and_its_mirror_image_are_read_alike():
    faces = torch.rand(2, 3, 112, 112) * 255
    network = AttributeNet().eval()
    for plain, mirrored in zip(network(faces), network(faces.flip(3)), strict=True):
        torch.testing.assert_close(plain, mirrored, atol=1e-4, rtol=1e-4)


def test_all_but_the_votes_are_alike_for_a_face_and_its_mirror_image():
    faces = torch.rand(2, 1, 48, 48) * 255
    network = EmotionNet().eval()
    plain, mirrored = network(faces)[0], network(faces.flip(3))[0]
    torch.testing.assert_close(plain[:, :-7], mirrored[:, :-7], atol=1e-4, rtol=1e-4)


def test_absent_rows_weigh_exactly_nothing():
    present = torch.tensor([1.0, 1.0, 0.0])
    weights = masked_weights(torch.tensor([0.3, -2.0, float("nan")]), present)
    assert weights[2] == 0
    assert weights.sum() == pytest.approx(1)
    assert not masked_weights(torch.zeros(3), torch.zeros(3)).any()


def test_fusion_starts_as_the_product_of_experts():
    network = ServedFusion(FusionNet().eval())
    clip = Clip(*fusion_trial(2, 1, 2, (1, 0, 2), seed=0))
    emotion, _, _, weights = network(*clip)
    product = clip.text_emotion[0] * clip.video_emotion
    torch.testing.assert_close(emotion, product / product.sum(), atol=1e-3, rtol=0)
    torch.testing.assert_close(weights, torch.tensor([0.5, 0.0, 0.5]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("counts", [(1, 0, 0), (0, 0, 4)])
def test_a_modality_that_is_alone_keeps_its_order_of_emotions(counts):
    network = FusionNet()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    clip = Clip(*fusion_trial(4, 3, 4, counts, seed=1))
    emotion = ServedFusion(network.eval())(*clip)[0]
    own = clip.text_emotion[0] if counts[0] else clip.video_emotion
    assert emotion.argsort().equal(own.argsort())


@pytest.mark.parametrize(("counts", "choice"), [((1, 0, 0), 1), ((0, 3, 4), 6), ((1, 3, 4), 7)])
def test_each_choice_of_modalities_has_its_own_temperature(counts, choice):
    served = ServedFusion(FusionNet().eval())
    tensors = fusion_trial(4, 3, 4, counts, seed=1)
    plain = served(*tensors)[0]
    served.network.temperatures[choice] = 2.0
    softened = plain.sqrt() / plain.sqrt().sum()
    torch.testing.assert_close(served(*tensors)[0], softened, atol=1e-5, rtol=0)


def test_a_step_of_fusion_training_lowers_its_loss():
    network = FusionNet()
    tensors = fusion_trial(4, 3, 4, (1, 3, 4), seed=1)
    served = ServedFusion(network).eval()
    optimiser = torch.optim.SGD(network.parameters(), 0.05)
    losses = []
    for _ in range(5):
        loss = -served(*tensors)[0][3].log()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_padding_a_sentence_changes_nothing():
    network = TextNet().eval()
    network.grams.table[1:].normal_().abs_()
    tokens = [torch.randint(4, 51, (1, length)) for length in (12, 40)]
    padded = [torch.nn.functional.pad(ids, (0, 20)) for ids in tokens]
    torch.testing.assert_close(network(*tokens), network(*padded), atol=1e-5, rtol=0)


def test_speech_heads_read_what_the_encoder_gives():
    heard = Encoder(layers=1)(torch.rand(2, 200, 80) - 5)
    features, emotion, years, gender = Heads(layers=1)(heard)
    shapes = [tuple(output.shape) for output in (features, emotion, years, gender)]
    assert shapes == [(2, 768), (2, 7), (2, 1), (2, 2)]
