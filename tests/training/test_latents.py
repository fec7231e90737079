"""What latents carry: the KL of each dimension, summed, is the model's own."""

from __future__ import annotations

import torch

from vrnn.training.latents import Usage


def test_the_kl_of_all_dimensions_is_the_terms_kl(make_vrnn, make_batch, make_noise, sizes):
    model = make_vrnn()
    batch = make_batch(model, lengths=[2, 5, 1, 4])
    noise = make_noise(sizes.B, sizes.T, model.z_dim)
    usage = Usage(model.z_dim)
    with torch.no_grad():
        usage.add(model.infer(batch, noise), batch.mask)
        terms, _ = model(batch, noise)
    torch.testing.assert_close(usage.kl.sum(), terms.kl[batch.mask].mean().double())
    assert usage.count == 12


def test_infer_is_what_the_terms_are_made_of(make_vrnn, make_batch, make_noise, sizes):
    model, noise = make_vrnn(), make_noise(sizes.B, sizes.T, 2)
    batch = make_batch(model)
    found = model.infer(batch, noise)
    terms, _ = model(batch, noise)
    torch.testing.assert_close(found.emission.log_prob(batch.x), terms.log_px)
    torch.testing.assert_close(found.prior.log_prob(found.z) - found.posterior.log_prob(found.z), terms.log_ratio)
    torch.testing.assert_close(model.encode(batch, noise).loc, found.posterior.loc)


@torch.no_grad()
def test_a_latent_that_moves_is_active_and_one_that_does_not_is_warned_of(make_vrnn, make_batch, make_noise, sizes):
    model = make_vrnn()
    batch, noise = make_batch(model), make_noise(sizes.B, sizes.T, 2)
    found = model.infer(batch, noise)
    mean = torch.stack(
        [torch.linspace(-1, 1, sizes.B * sizes.T).view(sizes.B, sizes.T), torch.zeros(sizes.B, sizes.T)], -1
    )
    usage = Usage(2)
    usage.add(found._replace(posterior=found.posterior._replace(loc=mean)), batch.mask)
    assert usage.active.tolist() == [True, False]
    still = Usage(2)
    still.add(found._replace(posterior=found.prior), batch.mask)
    assert float(still.kl.sum()) == 0.0
    assert "no more than an RNN would" in (still.warning or "")
