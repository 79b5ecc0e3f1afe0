"""`AdversarialTrainer`: generator and discriminator, their losses, and the training step of both.

[P] is Cho et al. 2017, section 3.3. The discriminator sees one real and three fake pairs of picture and palette:

- real: another picture of the batch with its own palette, with the same turns of hue as the fakes' sources. It is never
  the source of the fake it is compared with.
- fake: the recoloured picture with the target palette; the recoloured picture with the source palette; and the source
  picture with the target palette. The three fakes count equally.

Both networks get their gradients from the same weights and the same batch.
"""

from typing import Any

import keras
from keras import ops

from kpalette.errors import ArgumentError, KPaletteError
from kpalette.models.initializers import PACKAGE
from kpalette.training.losses import (
    LossWeights,
    edges_term,
    fooling,
    hinge,
    make_pictures,
    palette_terms,
    structure_term,
    weighted_mse,
)

KINDS = ("real", "recolored", "recolored_own", "unchanged")
"""Kinds of pairs that the discriminator judges; its accuracy is logged for each. Only the first is real."""

ENCODER = ("stem", "down")
"""Beginnings of the names of the encoder's layers."""


@keras.saving.register_keras_serializable(PACKAGE)
class AdversarialTrainer(keras.Model):
    """Trains a `PaletteNet`, with a `PaletteDiscriminator` or without one.

    `compile` takes the two optimizers; `fit` takes batches (inputs, ab, weight) as `kpalette.hue_pairs` returns them.
    `fit` works on the TensorFlow backend only: on JAX, Keras' `fit` supports one optimizer, so `kpalette.train` has a
    step of its own there, with the same losses.

    Args:
        generator: the `PaletteNet`.
        discriminator: the `PaletteDiscriminator`, or None to train without one.
        loss_weights: weights of the terms of the generator's loss.
        freeze_encoder: whether the generator's encoder keeps its weights, as in phase 2 of [P].

    Example:
        >>> generator, discriminator = kpalette.PaletteNet(filters=2), kpalette.PaletteDiscriminator(filters=2)
        >>> weights = LossWeights(mse=100.0, adversarial=0.05)
        >>> trainer = AdversarialTrainer(generator, discriminator=discriminator, loss_weights=weights)
        >>> trainer.compile("adam", "adam")
    """

    def __init__(
        self,
        generator: keras.Model,
        *,
        discriminator: keras.Model | None = None,
        loss_weights: LossWeights | None = None,
        freeze_encoder: bool = False,
        **kwargs: Any,
    ) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.terms = loss_weights or LossWeights()
        self.freeze_encoder = freeze_encoder
        if self.terms.adversarial and discriminator is None:
            raise ArgumentError("`loss_weights.adversarial` is above 0, but there is no `discriminator`")
        for layer in generator.layers:
            if freeze_encoder and layer.name.startswith(ENCODER):
                layer.trainable = False
        self.built = True

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        """The generator's ab (B, H, W, 2), network range; inputs that it does not have are ignored."""
        return self.generator({name: inputs[name] for name in self.generator.input}, training=training)

    def compile(self, generator_optimizer: Any, discriminator_optimizer: Any = None) -> None:
        """Sets both optimizers and creates their variables at once, so that they are saved and restored like weights.

        Args:
            generator_optimizer: an optimizer or its name.
            discriminator_optimizer: likewise; required if there is a discriminator.
        """
        super().compile(optimizer=generator_optimizer)
        self.optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer = None
        if self.discriminator is not None:
            if discriminator_optimizer is None:
                raise ArgumentError("`discriminator_optimizer` must be given where there is a discriminator")
            self.discriminator_optimizer = keras.optimizers.get(discriminator_optimizer)
            self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    def generator_objective(self, inputs: dict[str, Any], wanted: Any, weight: Any) -> tuple[Any, dict[str, Any], Any]:
        """Computes the generator's loss on a batch.

        Args:
            inputs: inputs of the generator.
            wanted: the answer, ab (B, H, W, 2), network range.
            weight: weight of each pixel of the answer (B, H, W).

        Returns:
            The weighted sum, its terms by name, and the predicted ab.
        """
        ab = ops.cast(self(inputs, training=True), "float32")
        logs = {"mse": weighted_mse(wanted, ab, weight)}
        total = self.terms.mse * logs["mse"]
        # These terms shift clusters with their swatches, but known answers turn them: such rows are left out.
        unknown = 1.0 - ops.sign(ops.max(weight, axis=(1, 2)))
        pictures = make_pictures(ab, inputs)
        if self.terms.palette or self.terms.spread:
            logs["palette"], logs["spread"] = palette_terms(pictures, inputs, rows=unknown)
            total = total + self.terms.palette * logs["palette"] + self.terms.spread * logs["spread"]
        if self.terms.edges:
            logs["edges"] = edges_term(pictures)
            total = total + self.terms.edges * logs["edges"]
        if self.terms.structure:
            logs["structure"] = structure_term(pictures, rows=unknown)
            total = total + self.terms.structure * logs["structure"]
        if self.discriminator is not None and self.terms.adversarial:
            logs["fooling"] = fooling(self._judge(_recolored(inputs, ab), inputs["target_palette"], inputs["mask"]))
            total = total + self.terms.adversarial * logs["fooling"]
        for penalty in self.generator.losses:
            total = total + penalty
        return total, {**logs, "loss": total}, ab

    def discriminator_objective(
        self, inputs: dict[str, Any], ab: Any, *, training: bool = True
    ) -> tuple[Any, dict[str, Any]]:
        """Computes the discriminator's loss on a batch, and its accuracy for each of `KINDS`.

        Args:
            inputs: inputs of the generator.
            ab: the generator's output.
            training: whether to update the singular vectors of spectral norm.

        Returns:
            The mean of the losses on real and fake pairs, and the logs by name.
        """
        logits = self.judgements(inputs, ops.stop_gradient(ab), training=training)
        fake = ops.mean(ops.stack([ops.mean(hinge(-logits[kind])) for kind in KINDS[1:]]))
        loss = (ops.mean(hinge(logits["real"])) + fake) / 2
        signs = {kind: 1.0 if kind == "real" else -1.0 for kind in KINDS}
        right = {f"d_{kind}": ops.mean(ops.cast(logits[kind] * signs[kind] > 0, "float32")) for kind in KINDS}
        return loss, {"d_loss": loss, **right}

    def judgements(self, inputs: dict[str, Any], ab: Any, *, training: bool = False) -> dict[str, Any]:
        """Logits (B, 1) for each of `KINDS`; arguments as in `discriminator_objective`."""
        size = ops.shape(inputs["lab"])[0]
        lab, source, target, mask = (inputs[name] for name in ("lab", "source_palette", "target_palette", "mask"))
        fake = _recolored(inputs, ab)
        real = [ops.roll(x, 1, axis=0) for x in (lab, source, mask)]
        parts = [real, (fake, target, mask), (fake, source, mask), (lab, target, mask)]
        # One pass, so that the singular vectors of spectral norm are updated once.
        joined = [ops.concatenate(list(column), axis=0) for column in zip(*parts, strict=True)]
        logits = self._judge(*joined, training=training)
        return {kind: logits[i * size : (i + 1) * size] for i, kind in enumerate(KINDS)}

    def _judge(self, lab: Any, palette: Any, mask: Any, *, training: bool = False) -> Any:
        assert self.discriminator is not None
        return self.discriminator({"lab": lab, "palette": palette, "mask": mask}, training=training)

    def train_step(self, *data: Any) -> Any:
        """Makes one step of both networks; TensorFlow only (see the class)."""
        if keras.backend.backend() != "tensorflow":
            raise KPaletteError(
                "AdversarialTrainer.fit needs the TensorFlow backend; on others use python -m kpalette.train"
            )
        from kpalette.training.tensorflow_step import train_step

        return train_step(self, *data)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": self.discriminator and keras.saving.serialize_keras_object(self.discriminator),
            "loss_weights": list(self.terms),
            "freeze_encoder": self.freeze_encoder,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "AdversarialTrainer":
        """The trainer of a config."""
        networks = {
            name: config[name] and keras.saving.deserialize_keras_object(config[name])
            for name in ("generator", "discriminator")
        }
        return cls(**{**config, **networks, "loss_weights": LossWeights(*config["loss_weights"])})

    def get_compile_config(self) -> dict[str, Any]:
        """Both optimizers."""
        optimizers = {"generator_optimizer": self.optimizer, "discriminator_optimizer": self.discriminator_optimizer}
        return {name: value and keras.saving.serialize_keras_object(value) for name, value in optimizers.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with the config of `get_compile_config`."""
        self.compile(**{name: value and keras.saving.deserialize_keras_object(value) for name, value in config.items()})


def _recolored(inputs: dict[str, Any], ab: Any) -> Any:
    return ops.concatenate([inputs["lab"][..., :1], ops.cast(ab, "float32")], axis=-1)
