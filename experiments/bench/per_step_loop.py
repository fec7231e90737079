"""The baseline: the VRNN as it is usually written in PyTorch.

Its structure is that of the widely forked emited/VariationalRecurrentNeuralNetwork: every net is called inside the time
loop, nn.GRU is called for one step, all results go to lists, and the losses are added up step by step. It has our
layout and our parametrisation of the standard deviations, so that with the same weights and noise its loss is ours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vrnn.models.vrnn import VRNN
from vrnn.nn import JointMLP


class PerStepLoop(nn.Module):
    """The VRNN of `shapes.make_model`.

    Args:
      x_dim, h_dim, z_dim: sizes; all nets are as wide as h_dim.
      cell: nn.GRU or nn.LSTM.
      min_std: smallest standard deviation of prior and posterior.
    """

    def __init__(self, x_dim: int, h_dim: int, z_dim: int, cell: type[nn.RNNBase] = nn.GRU, min_std: float = 1e-4):
        super().__init__()
        self.h_dim = h_dim
        self.min_std = min_std
        self.phi_x = nn.Sequential(nn.Linear(x_dim, h_dim), nn.ReLU(), nn.Linear(h_dim, h_dim), nn.ReLU())
        self.phi_z = nn.Sequential(nn.Linear(z_dim, h_dim), nn.ReLU())
        self.enc = nn.Sequential(nn.Linear(h_dim + h_dim, h_dim), nn.ReLU(), nn.Linear(h_dim, h_dim), nn.ReLU())
        self.enc_mean = nn.Linear(h_dim, z_dim)
        self.enc_std = nn.Sequential(nn.Linear(h_dim, z_dim), nn.Softplus())
        self.prior = nn.Sequential(nn.Linear(h_dim, h_dim), nn.ReLU())
        self.prior_mean = nn.Linear(h_dim, z_dim)
        self.prior_std = nn.Sequential(nn.Linear(h_dim, z_dim), nn.Softplus())
        self.dec = nn.Sequential(nn.Linear(h_dim + h_dim, h_dim), nn.ReLU(), nn.Linear(h_dim, h_dim), nn.ReLU())
        self.dec_mean = nn.Sequential(nn.Linear(h_dim, x_dim), nn.Sigmoid())
        self.rnn = cell(h_dim + h_dim, h_dim)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """x [B, T, D], noise [B, T, Z] -> loss in nats per step."""
        kld_loss = nll_loss = 0.0
        all_enc_mean, all_enc_std, all_dec_mean = [], [], []
        zeros = torch.zeros(1, x.size(0), self.h_dim, device=x.device)
        state = (zeros, zeros) if isinstance(self.rnn, nn.LSTM) else zeros
        for t in range(x.size(1)):
            h = state[0][-1] if isinstance(self.rnn, nn.LSTM) else state[-1]
            phi_x_t = self.phi_x(x[:, t])
            enc_t = self.enc(torch.cat([phi_x_t, h], 1))
            enc_mean_t, enc_std_t = self.enc_mean(enc_t), self.enc_std(enc_t) + self.min_std
            prior_t = self.prior(h)
            prior_mean_t, prior_std_t = self.prior_mean(prior_t), self.prior_std(prior_t) + self.min_std
            z_t = noise[:, t].mul(enc_std_t).add(enc_mean_t)
            phi_z_t = self.phi_z(z_t)
            dec_mean_t = self.dec_mean(self.dec(torch.cat([phi_z_t, h], 1)))
            _, state = self.rnn(torch.cat([phi_x_t, phi_z_t], 1).unsqueeze(0), state)
            kld_loss = kld_loss + self._kld_gauss(enc_mean_t, enc_std_t, prior_mean_t, prior_std_t)
            nll_loss = nll_loss + F.binary_cross_entropy(dec_mean_t, x[:, t], reduction="sum")
            all_enc_mean.append(enc_mean_t)
            all_enc_std.append(enc_std_t)
            all_dec_mean.append(dec_mean_t)
        return (kld_loss + nll_loss) / (x.size(0) * x.size(1))

    @staticmethod
    def _kld_gauss(mean_1: Tensor, std_1: Tensor, mean_2: Tensor, std_2: Tensor) -> Tensor:
        element = (
            2 * torch.log(std_2) - 2 * torch.log(std_1) + (std_1.pow(2) + (mean_1 - mean_2).pow(2)) / std_2.pow(2) - 1
        )
        return 0.5 * torch.sum(element)

    @torch.no_grad()
    def take_weights(self, model: VRNN) -> None:
        """Makes this the same function as `model`."""

        def split(net: nn.Linear, mean: nn.Linear, std: nn.Linear) -> None:
            for name in ("weight", "bias"):
                first, second = getattr(net, name).chunk(2)
                getattr(mean, name).copy_(first)
                getattr(std, name).copy_(second)

        def join(net: JointMLP, first: nn.Linear, second: nn.Linear) -> None:
            first.weight.copy_(torch.cat([net.from_a.weight, net.from_b.weight], 1))
            first.bias.copy_(net.from_a.bias)
            second.load_state_dict(net.rest[1].state_dict())

        self.phi_x.load_state_dict(model.phi_x.state_dict())
        self.phi_z.load_state_dict(model.phi_z.state_dict())
        join(model.posterior_net, self.enc[0], self.enc[2])
        split(model.posterior_net.head, self.enc_mean, self.enc_std[0])
        self.prior[0].load_state_dict(model.prior_net[0].state_dict())
        split(model.prior_net[-1], self.prior_mean, self.prior_std[0])
        join(model.emission_net, self.dec[0], self.dec[2])
        self.dec_mean[0].load_state_dict(model.emission_net.head.state_dict())
        recurrence = model.recurrence
        self.rnn.weight_ih_l0.copy_(torch.cat([recurrence.from_x.weight, recurrence.from_z.weight], 1))
        self.rnn.bias_ih_l0.copy_(recurrence.from_x.bias)
        self.rnn.weight_hh_l0.copy_(recurrence.from_h.weight)
        self.rnn.bias_hh_l0.copy_(recurrence.from_h.bias)
