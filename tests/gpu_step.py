"""Prints PyTorch's images/s for the bulk of a PixPro step: ResNet-50 and projector, two views forward
and backward through the online encoder and forward through the momentum encoder, SGD and the
momentum update.

    python3 gpu_step.py f32|tf32|bf16|fp16 IMAGES
"""
import sys
import time

import torch
import torchvision

precision, images = sys.argv[1], int(sys.argv[2])
torch.backends.cudnn.benchmark = precision != "f32"  # in f32 the search takes minutes
torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
low = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)


def branch():
    layers = list(torchvision.models.resnet50(weights=None).children())[:-2]
    head = [torch.nn.Conv2d(2048, 4096, 1), torch.nn.BatchNorm2d(4096), torch.nn.ReLU(),
            torch.nn.Conv2d(4096, 256, 1)]
    return torch.nn.Sequential(*layers, *head).cuda().to(memory_format=torch.channels_last)


online, target = branch(), branch()
optimizer = torch.optim.SGD(online.parameters(), lr=0.1, momentum=0.9, foreach=True)
scaler = torch.amp.GradScaler("cuda", enabled=precision == "fp16")
views = torch.randn(2 * images, 3, 224, 224, device="cuda").to(memory_format=torch.channels_last)


def step():
    with torch.no_grad():
        torch._foreach_lerp_(list(target.parameters()), list(online.parameters()), 0.01)
    with torch.autocast("cuda", dtype=low, enabled=low is not None):
        with torch.no_grad():
            pixels = torch.nn.functional.normalize(target(views).float(), dim=1)
        x = torch.nn.functional.normalize(online(views).float(), dim=1).flatten(2)
        similarity = x.transpose(1, 2) @ pixels.roll(images, 0).flatten(2)
        loss = -similarity.mean()
    optimizer.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()


for _ in range(5):
    step()
torch.cuda.synchronize()
begin, steps = time.perf_counter(), 30
for _ in range(steps):
    step()
torch.cuda.synchronize()
print(f"{steps * images / (time.perf_counter() - begin):.2f}")
