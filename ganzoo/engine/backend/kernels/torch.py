"""Kernels on torch. No image is copied: a permuted channels-last tensor already IS torch's channels_last format."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from ganzoo.engine.backend.kernels import composite

__all__ = ["batch_norm", "conv2d", "conv2d_transpose", "group_norm", "layer_norm", "reflect", "settle"]


def same_padding(size, kernel, stride):
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def settle(kernel, turned=True):
    """Lets a kernel's variable lie in memory as torch's convolutions read it; its shape and numbers stay."""
    value = getattr(kernel, "_value", None)
    if isinstance(value, torch.nn.Parameter):  # else its first value is yet to come, or it is composed
        value.data = _turned(value.detach()).movedim(0, -1) if turned else value.detach().contiguous()


def filters(kernel):
    """(height, width, in, out) as torch's (out, in, height, width), in channels_last: no copy of a settled kernel."""
    return _turned(kernel).permute(0, 3, 1, 2)


def _turned(kernel):
    """(out, height, width, in), contiguous. A transposition of two axes is the only one for which torch is fast."""
    height, width, channels, num = kernel.shape
    return kernel.reshape(-1, num).t().contiguous().view(num, height, width, channels)


def conv2d(x, kernel, bias, strides, padding):
    x, kernel = x.permute(0, 3, 1, 2), filters(kernel)
    amount = (0, 0)
    if padding == "same":
        (top, bottom), (left, right) = (same_padding(*a) for a in zip(x.shape[2:], kernel.shape[2:], strides))
        if (top, left) == (bottom, right):
            amount = (top, left)
        else:  # torch itself pads both sides alike
            x = F.pad(x, (left, right, top, bottom))
    return F.conv2d(x, kernel, bias, strides, amount).permute(0, 2, 3, 1)


def conv2d_transpose(x, kernel, bias, strides, padding):
    overlaps = [k - s for k, s in zip(kernel.shape[:2], strides)]
    amount = [max(overlap, 0) // 2 if padding == "same" else 0 for overlap in overlaps]
    gaps = [max(-overlap, 0) for overlap in overlaps]
    y = F.conv_transpose2d(x.permute(0, 3, 1, 2), filters(kernel), bias, strides, amount, gaps)
    if padding == "same":  # an odd overlap is cut by one more at the end, which torch cannot say
        y = y[:, :, : x.shape[1] * strides[0], : x.shape[2] * strides[1]]
    return y.permute(0, 2, 3, 1)


def batch_norm(x, gamma, beta, epsilon):
    y, mean, rstd = torch.native_batch_norm(x.movedim(-1, 1), gamma, beta, None, None, True, 0.0, epsilon)
    variance = (rstd.detach().pow(-2) - epsilon).clamp_min(0)
    return y.movedim(1, -1), mean.detach(), variance


def group_norm(x, gamma, beta, groups, epsilon):
    """Not by torch's own, which takes the variance as E[x^2] - E[x]^2. One image at a time, instance normalisation is
    batch normalisation, which has a kernel that does not."""
    if groups != x.shape[-1] or x.ndim < 3 or not len(x):
        return composite.group_norm(x, gamma, beta, groups, epsilon)
    images = [batch_norm(image, gamma, beta, epsilon)[0] for image in x.split(1)]
    return images[0] if len(images) == 1 else torch.cat(images)


def layer_norm(x, gamma, beta, axes, epsilon):
    wide, last = x.to(torch.promote_types(x.dtype, torch.float32)), tuple(range(x.ndim - len(axes), x.ndim))
    wide = wide.movedim(axes, last)
    y = F.layer_norm(wide, wide.shape[last[0] :], gamma, beta, epsilon)
    return y.movedim(last, axes).to(x.dtype)


def reflect(x, rows, columns):
    return F.pad(x.permute(0, 3, 1, 2), (columns, columns, rows, rows), "reflect").permute(0, 2, 3, 1)
