# 3 advance step
.L10b0:
    vmovups zmm1,zmmword ptr [rbx + 8*r15]               # cartpole.py:109  theta = s.theta[i]
    vmovups zmm3,zmmword ptr [rax + 8*r15]               # cartpole.py:110  theta_dot = s.theta_dot[i]
    vmovups zmm0,zmmword ptr [r13 + 8*r15 + 0x0]         # cartpole.py:108  x_dot = s.x_dot[i]
    vmovdqu ymm2,ymmword ptr [rsp + 0x230]               # cartpole.py:108  x_dot = s.x_dot[i]
    movabs rax,0x0                                       # cartpole.py:113  force = p.force_mag if action == 1 else -p.force_mag
    lea rsi,[rsp + 0x1b0]                                # cartpole.py:114  costheta = cos(theta)
    vpcmpeqd k1,ymm2,ymmword ptr [rdi + 4*r15]           # cartpole.py:113  force = p.force_mag if action == 1 else -p.force_mag
    lea rdi,[rsp + 0x1b8]                                # cartpole.py:114  costheta = cos(theta)
    vmovups zmmword ptr [rsp + 0x1f0],zmm1               # cartpole.py:114  costheta = cos(theta)
    vmovupd zmm1,zmmword ptr [rsp + 0x5d0]               # cartpole.py:114  costheta = cos(theta)
    vmovups zmmword ptr [rsp + 0x290],zmm0               # cartpole.py:114  costheta = cos(theta)
    vmovups zmmword ptr [rsp + 0x2d0],zmm3               # cartpole.py:114  costheta = cos(theta)
    vblendmpd zmm0{k1},zmm1,qword bcst [rax]             # cartpole.py:113  force = p.force_mag if action == 1 else -p.force_mag
    movabs rax,0x0                                       # cartpole.py:114  costheta = cos(theta)
    vmovupd zmmword ptr [rsp + 0x250],zmm0               # cartpole.py:114  costheta = cos(theta)
    vmovsd xmm0,qword ptr [rbx + 8*r15 + 0x20]           # cartpole.py:114  costheta = cos(theta)
    vzeroupper                                           # cartpole.py:114  costheta = cos(theta)
    call rax                                             # cartpole.py:114  costheta = cos(theta)
    vmovsd xmm0,qword ptr [rsp + 0x1b0]                  # cartpole.py:114  costheta = cos(theta)
    lea rdi,[rsp + 0x1c8]                                # cartpole.py:114  costheta = cos(theta)
    lea rsi,[rsp + 0x1c0]                                # cartpole.py:114  costheta = cos(theta)
    movabs rax,0x0                                       # cartpole.py:114  costheta = cos(theta)
    vmovaps xmmword ptr [rsp + 0x110],xmm0               # cartpole.py:114  costheta = cos(theta)
    vmovsd xmm0,qword ptr [rbx + 8*r15 + 0x28]           # cartpole.py:114  costheta = cos(theta)
    call rax                                             # cartpole.py:114  costheta = cos(theta)
    vmovaps xmm0,xmmword ptr [rsp + 0x110]               # cartpole.py:114  costheta = cos(theta)
    lea rdi,[rsp + 0x1d8]                                # cartpole.py:114  costheta = cos(theta)
    lea rsi,[rsp + 0x1d0]                                # cartpole.py:114  costheta = cos(theta)
    movabs rax,0x0                                       # cartpole.py:114  costheta = cos(theta)
    vmovhps xmm0,xmm0,qword ptr [rsp + 0x1c0]            # cartpole.py:114  costheta = cos(theta)
    vmovups ymmword ptr [rsp + 0x110],ymm0               # cartpole.py:114  costheta = cos(theta)
    vmovsd xmm0,qword ptr [rbx + 8*r15 + 0x30]           # cartpole.py:114  costheta = cos(theta)
    vzeroupper                                           # cartpole.py:114  costheta = cos(theta)
    call rax                                             # cartpole.py:114  costheta = cos(theta)
    vmovsd xmm0,qword ptr [rsp + 0x1d0]                  # cartpole.py:114  costheta = cos(theta)
    lea rdi,[rsp + 0x1e8]                                # cartpole.py:114  costheta = cos(theta)
    lea rsi,[rsp + 0x1e0]                                # cartpole.py:114  costheta = cos(theta)
    movabs rax,0x0                                       # cartpole.py:114  costheta = cos(theta)
    vmovaps xmmword ptr [rsp + 0xf0],xmm0                # cartpole.py:114  costheta = cos(theta)
    vmovsd xmm0,qword ptr [rbx + 8*r15 + 0x38]           # cartpole.py:114  costheta = cos(theta)
    call rax                                             # cartpole.py:114  costheta = cos(theta)
    vmovaps xmm0,xmmword ptr [rsp + 0xf0]                # cartpole.py:114  costheta = cos(theta)
    vmovups ymm1,ymmword ptr [rsp + 0x110]               # cartpole.py:114  costheta = cos(theta)
    lea rdi,[rsp + 0x178]                                # cartpole.py:114  costheta = cos(theta)
    lea rsi,[rsp + 0x170]                                # cartpole.py:114  costheta = cos(theta)
    movabs rax,0x0                                       # cartpole.py:114  costheta = cos(theta)
    vmovhps xmm0,xmm0,qword ptr [rsp + 0x1e0]            # cartpole.py:114  costheta = cos(theta)
    vinsertf128 ymm0,ymm1,xmm0,0x1                       # cartpole.py:114  costheta = cos(theta)
    vmovups ymmword ptr [rsp + 0x110],ymm0               # cartpole.py:114  costheta = cos(theta)
    vmovups zmm0,zmmword ptr [rsp + 0x1f0]               # cartpole.py:114  costheta = cos(theta)
    vzeroupper                                           # cartpole.py:114  costheta = cos(theta)
    call rax                                             # cartpole.py:114  costheta = cos(theta)
    vmovsd xmm0,qword ptr [rsp + 0x170]                  # cartpole.py:114  costheta = cos(theta)
    lea rdi,[rsp + 0x188]                                # cartpole.py:114  costheta = cos(theta)
    lea rsi,[rsp + 0x180]                                # cartpole.py:114  costheta = cos(theta)
    movabs rax,0x0                                       # cartpole.py:114  costheta = cos(theta)
    vmovaps xmmword ptr [rsp + 0xf0],xmm0                # cartpole.py:114  costheta = cos(theta)
    vmovsd xmm0,qword ptr [rbx + 8*r15 + 0x8]            # cartpole.py:114  costheta = cos(theta)
    call rax                                             # cartpole.py:114  costheta = cos(theta)
    vmovaps xmm0,xmmword ptr [rsp + 0xf0]                # cartpole.py:114  costheta = cos(theta)
    lea rdi,[rsp + 0x198]                                # cartpole.py:114  costheta = cos(theta)
    lea rsi,[rsp + 0x190]                                # cartpole.py:114  costheta = cos(theta)
    movabs rax,0x0                                       # cartpole.py:114  costheta = cos(theta)
    vmovhps xmm0,xmm0,qword ptr [rsp + 0x180]            # cartpole.py:114  costheta = cos(theta)
    vmovups ymmword ptr [rsp + 0xf0],ymm0                # cartpole.py:114  costheta = cos(theta)
    vmovsd xmm0,qword ptr [rbx + 8*r15 + 0x10]           # cartpole.py:114  costheta = cos(theta)
    vzeroupper                                           # cartpole.py:114  costheta = cos(theta)
    call rax                                             # cartpole.py:114  costheta = cos(theta)
    vmovsd xmm0,qword ptr [rsp + 0x190]                  # cartpole.py:114  costheta = cos(theta)
    lea rdi,[rsp + 0x1a8]                                # cartpole.py:114  costheta = cos(theta)
    lea rsi,[rsp + 0x1a0]                                # cartpole.py:114  costheta = cos(theta)
    movabs rax,0x0                                       # cartpole.py:114  costheta = cos(theta)
    vmovaps xmmword ptr [rsp + 0xc0],xmm0                # cartpole.py:114  costheta = cos(theta)
    vmovsd xmm0,qword ptr [rbx + 8*r15 + 0x18]           # cartpole.py:114  costheta = cos(theta)
    call rax                                             # cartpole.py:114  costheta = cos(theta)
    vmovapd xmm0,xmmword ptr [rsp + 0xc0]                # cartpole.py:114  costheta = cos(theta)
    vmovupd ymm1,ymmword ptr [rsp + 0xf0]                # cartpole.py:114  costheta = cos(theta)
    vmovsd xmm2,qword ptr [rsp + 0x1d8]                  # cartpole.py:115  sintheta = sin(theta)
    vmovsd xmm3,qword ptr [rsp + 0x198]                  # cartpole.py:115  sintheta = sin(theta)
    vmovupd zmm6,zmmword ptr [rsp + 0x2d0]               # cartpole.py:115  sintheta = sin(theta)
    vmovupd zmm4,zmmword ptr [rsp + 0x550]               # cartpole.py:115  sintheta = sin(theta)
    vmovupd zmm5,zmmword ptr [rsp + 0x510]               # cartpole.py:115  sintheta = sin(theta)
    mov rcx,qword ptr [rsp + 0x98]                       # cartpole.py:115  sintheta = sin(theta)
    mov rax,qword ptr [rsp + 0x60]                       # cartpole.py:115  sintheta = sin(theta)
    mov rdx,qword ptr [rsp + 0x70]                       # cartpole.py:115  sintheta = sin(theta)
    mov rsi,qword ptr [rsp + 0x68]                       # cartpole.py:115  sintheta = sin(theta)
    mov rdi,qword ptr [rsp + 0x8]                        # cartpole.py:115  sintheta = sin(theta)
    vmovhpd xmm0,xmm0,qword ptr [rsp + 0x1a0]            # cartpole.py:114  costheta = cos(theta)
    vmovhpd xmm2,xmm2,qword ptr [rsp + 0x1e8]            # cartpole.py:115  sintheta = sin(theta)
    vmovhpd xmm3,xmm3,qword ptr [rsp + 0x1a8]            # cartpole.py:115  sintheta = sin(theta)
    vinsertf128 ymm0,ymm1,xmm0,0x1                       # cartpole.py:114  costheta = cos(theta)
    vmovsd xmm1,qword ptr [rsp + 0x1b8]                  # cartpole.py:115  sintheta = sin(theta)
    vinsertf64x4 zmm0,zmm0,ymmword ptr [rsp + 0x110],0x1 # cartpole.py:114  costheta = cos(theta)
    vmovhpd xmm1,xmm1,qword ptr [rsp + 0x1c8]            # cartpole.py:115  sintheta = sin(theta)
    vinsertf128 ymm1,ymm1,xmm2,0x1                       # cartpole.py:115  sintheta = sin(theta)
    vmovsd xmm2,qword ptr [rsp + 0x178]                  # cartpole.py:115  sintheta = sin(theta)
    vmulpd zmm7,zmm0,zmm0                                # cartpole.py:120  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vmovhpd xmm2,xmm2,qword ptr [rsp + 0x188]            # cartpole.py:115  sintheta = sin(theta)
    vinsertf128 ymm2,ymm2,xmm3,0x1                       # cartpole.py:115  sintheta = sin(theta)
    vmulpd zmm3,zmm6,zmm6                                # cartpole.py:118  temp = (force + polemass_length * (theta_dot * theta_…
    vinsertf64x4 zmm1,zmm2,ymm1,0x1                      # cartpole.py:115  sintheta = sin(theta)
    vmulpd zmm2,zmm3,zmm4                                # cartpole.py:118  temp = (force + polemass_length * (theta_dot * theta_…
    vmulpd zmm2,zmm1,zmm2                                # cartpole.py:118  temp = (force + polemass_length * (theta_dot * theta_…
    vaddpd zmm2,zmm2,zmmword ptr [rsp + 0x250]           # cartpole.py:118  temp = (force + polemass_length * (theta_dot * theta_…
    vmulpd zmm1,zmm1,zmmword ptr [rsp + 0x4d0]           # cartpole.py:119  thetaacc = (p.gravity * sintheta - costheta * temp) /…
    vdivpd zmm2,zmm2,zmm5                                # cartpole.py:118  temp = (force + polemass_length * (theta_dot * theta_…
    vmulpd zmm3,zmm0,zmm2                                # cartpole.py:119  thetaacc = (p.gravity * sintheta - costheta * temp) /…
    vsubpd zmm1,zmm1,zmm3                                # cartpole.py:119  thetaacc = (p.gravity * sintheta - costheta * temp) /…
    vmulpd zmm3,zmm7,zmmword ptr [rsp + 0x490]           # cartpole.py:120  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vdivpd zmm3,zmm3,zmm5                                # cartpole.py:120  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vaddpd zmm3,zmm3,zmmword ptr [rsp + 0x450]           # cartpole.py:120  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vmulpd zmm3,zmm3,zmmword ptr [rsp + 0x410]           # cartpole.py:120  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vdivpd zmm1,zmm1,zmm3                                # cartpole.py:119  thetaacc = (p.gravity * sintheta - costheta * temp) /…
    vmulpd zmm3,zmm1,zmm4                                # cartpole.py:122  xacc = temp - polemass_length * thetaacc * costheta /…
    vmovupd zmm4,zmmword ptr [rsp + 0x3d0]               # cartpole.py:122  xacc = temp - polemass_length * thetaacc * costheta /…
    vmulpd zmm0,zmm0,zmm3                                # cartpole.py:122  xacc = temp - polemass_length * thetaacc * costheta /…
    vmovupd zmm3,zmmword ptr [rsp + 0x290]               # cartpole.py:122  xacc = temp - polemass_length * thetaacc * costheta /…
    vdivpd zmm0,zmm0,zmm5                                # cartpole.py:122  xacc = temp - polemass_length * thetaacc * costheta /…
    vmulpd zmm5,zmm6,zmm4                                # cartpole.py:126  theta = theta + p.tau * theta_dot
    vmulpd zmm1,zmm1,zmm4                                # cartpole.py:127  theta_dot = theta_dot + p.tau * thetaacc
    vaddpd zmm1,zmm6,zmm1                                # cartpole.py:127  theta_dot = theta_dot + p.tau * thetaacc
    vsubpd zmm0,zmm2,zmm0                                # cartpole.py:122  xacc = temp - polemass_length * thetaacc * costheta /…
    vmulpd zmm2,zmm3,zmm4                                # cartpole.py:124  x = x + p.tau * x_dot
    vaddpd zmm2,zmm2,zmmword ptr [rcx + 8*r15]           # cartpole.py:124  x = x + p.tau * x_dot
    vmulpd zmm0,zmm0,zmm4                                # cartpole.py:125  x_dot = x_dot + p.tau * xacc
    vaddpd zmm0,zmm3,zmm0                                # cartpole.py:125  x_dot = x_dot + p.tau * xacc
    vaddpd zmm3,zmm5,zmmword ptr [rsp + 0x1f0]           # cartpole.py:126  theta = theta + p.tau * theta_dot
    vmovupd zmm5,zmmword ptr [rsp + 0x310]               # cartpole.py:126  theta = theta + p.tau * theta_dot
    vmovupd zmmword ptr [rcx + 8*r15],zmm2               # cartpole.py:128  s.x[i] = x
    vmovupd zmmword ptr [r13 + 8*r15 + 0x0],zmm0         # cartpole.py:129  s.x_dot[i] = x_dot
    mov rcx,qword ptr [rsp + 0xe8]                       # cartpole.py:129  s.x_dot[i] = x_dot
    vandpd zmm0,zmm2,zmm5                                # cartpole.py:134  x < -p.x_threshold
    vcmpgtpd k0,zmm0,zmmword ptr [rsp + 0x390]           # cartpole.py:134  x < -p.x_threshold
    vpternlogd zmm2,zmm2,zmm2,0xff                       # kernels.py:145  elapsed = tile.elapsed[i] + tile.elapsed.dtype.type(1)
    vmovupd zmmword ptr [rbx + 8*r15],zmm3               # cartpole.py:130  s.theta[i] = theta
    vmovupd zmmword ptr [rax + 8*r15],zmm1               # cartpole.py:131  s.theta_dot[i] = theta_dot
    vandpd zmm0,zmm3,zmm5                                # cartpole.py:134  x < -p.x_threshold
    vcmpgtpd k1,zmm0,zmmword ptr [rsp + 0x350]           # cartpole.py:134  x < -p.x_threshold
    vmovdqa xmm3,xmmword ptr [rsp + 0x130]               # cartpole.py:134  x < -p.x_threshold
    vpmovsxwq zmm4,xmmword ptr [r14 + 2*r15]             # kernels.py:145  elapsed = tile.elapsed[i] + tile.elapsed.dtype.type(1)
    korb k1,k0,k1                                        # cartpole.py:134  x < -p.x_threshold
    vmovdqu8 xmm0{k1}{z},xmm3                            # cartpole.py:143  return reward, terminated
    vpsubq zmm1,zmm4,zmm2                                # kernels.py:145  elapsed = tile.elapsed[i] + tile.elapsed.dtype.type(1)
    vmovupd zmm4,zmmword ptr [rsp + 0x590]               # kernels.py:145  elapsed = tile.elapsed[i] + tile.elapsed.dtype.type(1)
    vpcmpnltq k2,zmm1,zmmword ptr [rsp + 0x610]          # kernels.py:146  truncated = elapsed >= tile.settings.time_limit[0]
    vmovupd zmmword ptr [rcx + 8*r15],zmm4               # kernels.py:147  tile.reward[i] = reward
    vpmovqw xmmword ptr [r14 + 2*r15],zmm1               # kernels.py:148  tile.elapsed[i] = elapsed
    vmovq qword ptr [rdx + 1*r15],xmm0                   # kernels.py:149  tile.terminated[i] = terminated
    mov rdx,qword ptr [rsp + 0xa0]                       # kernels.py:149  tile.terminated[i] = terminated
    korb k1,k1,k2                                        # kernels.py:151  tile.pending[i] = terminated or truncated
    vmovdqu8 xmm0{k2}{z},xmm3                            # kernels.py:150  tile.truncated[i] = truncated
    vmovq qword ptr [rsi + 1*r15],xmm0                   # kernels.py:150  tile.truncated[i] = truncated
    vmovdqu8 xmm0{k1}{z},xmm3                            # kernels.py:151  tile.pending[i] = terminated or truncated
    vmovq qword ptr [rdx + 1*r15],xmm0                   # kernels.py:151  tile.pending[i] = terminated or truncated
    add r15,0x8                                          # kernels.py:212  for i in range(tile.reward.shape[0]):
    cmp r12,r15                                          # kernels.py:212  for i in range(tile.reward.shape[0]):
    jne .L10b0                                           # kernels.py:212  for i in range(tile.reward.shape[0]):

# 5 restart_listed reset
.L1a10:
    mov rax,qword ptr [rsp + 0x158]
    movabs rbp,0x2360ed051fc65da4
    movsxd r10,dword ptr [rax + 4*r9]                    # kernels.py:199  i = tile.finished[k]
    mov r11,r10                                          # random.py:341  state_high = _uint64(rng.state[i, 0])
    sar r11,0x3f                                         # random.py:341  state_high = _uint64(rng.state[i, 0])
    and r11,rbx                                          # random.py:341  state_high = _uint64(rng.state[i, 0])
    lea r14,[r11 + 1*r10]                                # random.py:341  state_high = _uint64(rng.state[i, 0])
    mov rbx,r14                                          # random.py:341  state_high = _uint64(rng.state[i, 0])
    shl rbx,0x5                                          # random.py:341  state_high = _uint64(rng.state[i, 0])
    mov rsi,qword ptr [r8 + 1*rbx]                       # random.py:341  state_high = _uint64(rng.state[i, 0])
    mov rdx,qword ptr [r8 + 1*rbx + 0x8]                 # random.py:342  state_low = _uint64(rng.state[i, 1])
    mov r12,qword ptr [r8 + 1*rbx + 0x10]                # random.py:343  increment_high = _uint64(rng.state[i, 2])
    mov r15,qword ptr [r8 + 1*rbx + 0x18]                # random.py:344  increment_low = _uint64(rng.state[i, 3])
    imul rsi,rdi                                         # random.py:350  + state_high * multiplier_low
    mov rcx,rdx                                          # random.py:349  + state_low * multiplier_high
    mov rax,rdx                                          # random.py:346  low = _uint64(state_low * multiplier_low + increment_lo…
    imul rax,rdi                                         # random.py:346  low = _uint64(state_low * multiplier_low + increment_lo…
    imul rcx,rbp                                         # random.py:349  + state_low * multiplier_high
    mulx rdx,rdx,rdi                                     # random.py:315  return lambda a, b: _multiply_high_instruction(a, b)  #…
    add rsi,r12                                          # random.py:348  _multiply_high(state_low, multiplier_low)
    add rsi,rcx                                          # random.py:348  _multiply_high(state_low, multiplier_low)
    add rax,r15                                          # random.py:346  low = _uint64(state_low * multiplier_low + increment_lo…
    adc rdx,rsi                                          # random.py:348  _multiply_high(state_low, multiplier_low)
    mov rsi,rdx                                          # random.py:357  folded = high ^ low
    xor rsi,rax                                          # random.py:357  folded = high ^ low
    mov rcx,rdx                                          # random.py:358  rotation = high >> _uint64(58)
    shr rcx,0x3a                                         # random.py:358  rotation = high >> _uint64(58)
    imul rdx,rdi                                         # random.py:350  + state_high * multiplier_low
    ror rsi,cl                                           # random.py:360  return _uint64(folded >> rotation | folded << (_uint64(…
    mov rcx,rax                                          # random.py:349  + state_low * multiplier_high
    imul rcx,rbp                                         # random.py:349  + state_low * multiplier_high
    shr rsi,0xb                                          # random.py:442  return _float64(_next64(rng, i) >> _uint64(11)) * 2.0**…
    vcvtsi2sd xmm3,xmm15,rsi                             # random.py:295  return lambda x: np.float64(x)
    mov rsi,rax                                          # random.py:346  low = _uint64(state_low * multiplier_low + increment_lo…
    imul rsi,rdi                                         # random.py:346  low = _uint64(state_low * multiplier_low + increment_lo…
    add rcx,r12                                          # random.py:348  _multiply_high(state_low, multiplier_low)
    add rcx,rdx                                          # random.py:348  _multiply_high(state_low, multiplier_low)
    mov rdx,rax                                          # random.py:315  return lambda a, b: _multiply_high_instruction(a, b)  #…
    mulx r13,r13,rdi                                     # random.py:315  return lambda a, b: _multiply_high_instruction(a, b)  #…
    add rsi,r15                                          # random.py:346  low = _uint64(state_low * multiplier_low + increment_lo…
    mov rdx,rsi                                          # random.py:315  return lambda a, b: _multiply_high_instruction(a, b)  #…
    vmulsd xmm3,xmm3,xmm0                                # random.py:442  return _float64(_next64(rng, i) >> _uint64(11)) * 2.0**…
    adc r13,rcx                                          # random.py:348  _multiply_high(state_low, multiplier_low)
    mov rax,r13                                          # random.py:357  folded = high ^ low
    xor rax,rsi                                          # random.py:357  folded = high ^ low
    mov rcx,r13                                          # random.py:358  rotation = high >> _uint64(58)
    shr rcx,0x3a                                         # random.py:358  rotation = high >> _uint64(58)
    imul r13,rdi                                         # random.py:350  + state_high * multiplier_low
    ror rax,cl                                           # random.py:360  return _uint64(folded >> rotation | folded << (_uint64(…
    mov rcx,rsi                                          # random.py:349  + state_low * multiplier_high
    imul rcx,rbp                                         # random.py:349  + state_low * multiplier_high
    vmulsd xmm3,xmm3,xmm1                                # random.py:448  return _float64(low) + (_float64(high) - _float64(low))…
    shr rax,0xb                                          # random.py:442  return _float64(_next64(rng, i) >> _uint64(11)) * 2.0**…
    vcvtsi2sd xmm4,xmm15,rax                             # random.py:295  return lambda x: np.float64(x)
    mov rax,rsi                                          # random.py:346  low = _uint64(state_low * multiplier_low + increment_lo…
    imul rax,rdi                                         # random.py:346  low = _uint64(state_low * multiplier_low + increment_lo…
    mulx rsi,rsi,rdi                                     # random.py:315  return lambda a, b: _multiply_high_instruction(a, b)  #…
    add rcx,r12                                          # random.py:348  _multiply_high(state_low, multiplier_low)
    vaddsd xmm3,xmm3,xmm2                                # random.py:448  return _float64(low) + (_float64(high) - _float64(low))…
    add rax,r15                                          # random.py:346  low = _uint64(state_low * multiplier_low + increment_lo…
    adc rsi,rcx                                          # random.py:348  _multiply_high(state_low, multiplier_low)
    vmulsd xmm4,xmm4,xmm0                                # random.py:442  return _float64(_next64(rng, i) >> _uint64(11)) * 2.0**…
    add rsi,r13                                          # random.py:348  _multiply_high(state_low, multiplier_low)
    mov r13,rax                                          # random.py:349  + state_low * multiplier_high
    imul r13,rbp                                         # random.py:349  + state_low * multiplier_high
    mov rbp,qword ptr [rsp + 0x148]                      # random.py:349  + state_low * multiplier_high
    mov rdx,rsi                                          # random.py:357  folded = high ^ low
    xor rdx,rax                                          # random.py:357  folded = high ^ low
    mov rcx,rsi                                          # random.py:358  rotation = high >> _uint64(58)
    shr rcx,0x3a                                         # random.py:358  rotation = high >> _uint64(58)
    imul rsi,rdi                                         # random.py:350  + state_high * multiplier_low
    ror rdx,cl                                           # random.py:360  return _uint64(folded >> rotation | folded << (_uint64(…
    vmulsd xmm4,xmm4,xmm1                                # random.py:448  return _float64(low) + (_float64(high) - _float64(low))…
    add r13,r12                                          # random.py:348  _multiply_high(state_low, multiplier_low)
    mov r12,rax                                          # random.py:346  low = _uint64(state_low * multiplier_low + increment_lo…
    imul r12,rdi                                         # random.py:346  low = _uint64(state_low * multiplier_low + increment_lo…
    shr rdx,0xb                                          # random.py:442  return _float64(_next64(rng, i) >> _uint64(11)) * 2.0**…
    vcvtsi2sd xmm5,xmm15,rdx                             # random.py:295  return lambda x: np.float64(x)
    mov rdx,rax                                          # random.py:315  return lambda a, b: _multiply_high_instruction(a, b)  #…
    vaddsd xmm4,xmm4,xmm2                                # random.py:448  return _float64(low) + (_float64(high) - _float64(low))…
    add r12,r15                                          # random.py:346  low = _uint64(state_low * multiplier_low + increment_lo…
    mov r15,qword ptr [rsp + 0xb8]                       # random.py:346  low = _uint64(state_low * multiplier_low + increment_lo…
    mulx rcx,rcx,rdi                                     # random.py:315  return lambda a, b: _multiply_high_instruction(a, b)  #…
    mov rdx,qword ptr [rsp + 0x90]                       # random.py:315  return lambda a, b: _multiply_high_instruction(a, b)  #…
    vmulsd xmm5,xmm5,xmm0                                # random.py:442  return _float64(_next64(rng, i) >> _uint64(11)) * 2.0**…
    adc rcx,r13                                          # random.py:348  _multiply_high(state_low, multiplier_low)
    mov r13,qword ptr [rsp + 0x98]                       # random.py:348  _multiply_high(state_low, multiplier_low)
    inc r9                                               # kernels.py:198  for k in range(count):
    add rcx,rsi                                          # random.py:348  _multiply_high(state_low, multiplier_low)
    mov rsi,qword ptr [rsp + 0x60]                       # random.py:348  _multiply_high(state_low, multiplier_low)
    mov qword ptr [r8 + 1*rbx],rcx                       # random.py:354  rng.state[i, 0] = high
    mov qword ptr [r8 + 1*rbx + 0x8],r12                 # random.py:355  rng.state[i, 1] = low
    xor r12,rcx                                          # random.py:357  folded = high ^ low
    shr rcx,0x3a                                         # random.py:358  rotation = high >> _uint64(58)
    vmulsd xmm5,xmm5,xmm1                                # random.py:448  return _float64(low) + (_float64(high) - _float64(low))…
    mov rbx,qword ptr [rsp + 0xb0]                       # random.py:448  return _float64(low) + (_float64(high) - _float64(low))…
    ror r12,cl                                           # random.py:360  return _uint64(folded >> rotation | folded << (_uint64(…
    mov rcx,qword ptr [rsp + 0x78]                       # random.py:360  return _uint64(folded >> rotation | folded << (_uint64(…
    shr r12,0xb                                          # random.py:442  return _float64(_next64(rng, i) >> _uint64(11)) * 2.0**…
    vcvtsi2sd xmm6,xmm15,r12                             # random.py:295  return lambda x: np.float64(x)
    lea rax,[r13 + 8*r11 + 0x0]                          # cartpole.py:100  s.x[i] = x
    vaddsd xmm5,xmm5,xmm2                                # random.py:448  return _float64(low) + (_float64(high) - _float64(low))…
    mov r12,qword ptr [rsp + 0xa0]                       # random.py:448  return _float64(low) + (_float64(high) - _float64(low))…
    vmovsd qword ptr [rax + 8*r10],xmm3                  # cartpole.py:100  s.x[i] = x
    lea rax,[rcx + 8*r11]                                # cartpole.py:101  s.x_dot[i] = x_dot
    mov rcx,qword ptr [rsp + 0xe8]                       # cartpole.py:101  s.x_dot[i] = x_dot
    vmulsd xmm6,xmm6,xmm0                                # random.py:442  return _float64(_next64(rng, i) >> _uint64(11)) * 2.0**…
    vmovsd qword ptr [rax + 8*r10],xmm4                  # cartpole.py:101  s.x_dot[i] = x_dot
    lea rax,[rdx + 8*r11]                                # cartpole.py:102  s.theta[i] = theta
    lea rdx,[r15 + 2*r11]                                # kernels.py:159  tile.elapsed[i] = 0
    vmulsd xmm6,xmm6,xmm1                                # random.py:448  return _float64(low) + (_float64(high) - _float64(low))…
    vmovsd qword ptr [rax + 8*r10],xmm5                  # cartpole.py:102  s.theta[i] = theta
    lea rax,[rsi + 8*r11]                                # cartpole.py:103  s.theta_dot[i] = theta_dot
    vaddsd xmm6,xmm6,xmm2                                # random.py:448  return _float64(low) + (_float64(high) - _float64(low))…
    vmovsd qword ptr [rax + 8*r10],xmm6                  # cartpole.py:103  s.theta_dot[i] = theta_dot
    mov word ptr [rdx + 2*r10],0x0                       # kernels.py:159  tile.elapsed[i] = 0
    lea rax,[rcx + 8*r11]                                # kernels.py:201  tile.reward[i] = 0
    mov rdx,qword ptr [rsp + 0x70]                       # kernels.py:201  tile.reward[i] = 0
    mov rcx,qword ptr [rsp + 0x68]                       # kernels.py:201  tile.reward[i] = 0
    mov byte ptr [r12 + 1*r14],0x0                       # kernels.py:160  tile.pending[i] = False
    mov qword ptr [rax + 8*r10],0x0                      # kernels.py:201  tile.reward[i] = 0
    mov byte ptr [rdx + 1*r14],0x0                       # kernels.py:202  tile.terminated[i] = False
    mov byte ptr [rcx + 1*r14],0x0                       # kernels.py:203  tile.truncated[i] = False
    cmp rbp,r9                                           # kernels.py:198  for k in range(count):
    jne .L1a10                                           # kernels.py:198  for k in range(count):
